import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJobId, isJobId, type JobId, type JobIdType, jsonJobId } from "../../src/domain/job-id.js";

const uuid = "0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7b";

const canonical: readonly (readonly [JobIdType, JobId, string])[] = [
  ["integer", 42, "42"],
  ["integer", 42n, "42"],
  ["integer", "42", "42"],
  ["integer", 0, "0"],
  ["integer", -0, "0"],
  ["integer", -7, "-7"],
  ["integer", 2_147_483_647, "2147483647"],
  ["integer", -2_147_483_648, "-2147483648"],
  ["bigint", "9223372036854775807", "9223372036854775807"],
  ["bigint", -(2n ** 63n), "-9223372036854775808"],
  ["uuid", uuid, uuid],
  ["uuid", uuid.toUpperCase(), uuid],
  ["text", "42", "42"],
  ["text", 42, "42"],
  ["text", "042", "042"],
  ["text", " Job/é 😀 ", " Job/é 😀 "],
  ["text", "x".repeat(512), "x".repeat(512)],
];

const refused: readonly (readonly [JobIdType, JobId, string])[] = [
  ...["integer", "bigint"].flatMap((type) =>
    [
      "",
      "042",
      "-0",
      "+42",
      " 42",
      "42\n",
      "4e2",
      "0x2a",
      "4.2",
      "1_000",
      "٤٢",
      "abc",
      uuid,
      4.2,
      Number.NaN,
      1e21,
    ].map((id) => [type as JobIdType, id, `the id column is of type ${type}`] as const),
  ),
  ["integer", 2_147_483_648, "the id column is of type integer"],
  ["integer", -2_147_483_649, "the id column is of type integer"],
  ["bigint", 2n ** 63n, "the id column is of type bigint"],
  ["bigint", -(2n ** 63n) - 1n, "the id column is of type bigint"],
  ["bigint", "9".repeat(40), "the id column is of type bigint"],
  ["uuid", 42, "the id column is of type uuid"],
  ["uuid", uuid.replaceAll("-", ""), "the id column is of type uuid"],
  ["uuid", `{${uuid}}`, "the id column is of type uuid"],
  ["uuid", `${uuid}\n`, "the id column is of type uuid"],
  ["text", "", "an id cannot be empty"],
  ["text", "x".repeat(513), "an id has at most 512 characters"],
  ["text", "a\0b", "an id cannot hold NUL or a lone surrogate"],
  ["text", "a\uD800", "an id cannot hold NUL or a lone surrogate"],
];

describe("the canonical id", () => {
  test.each(canonical)("in a column of type %s, %s is %s", (type, id, expected) => {
    expect(canonicalJobId(id, type)).toEqual({ ok: true, id: expected });
  });

  test.each(refused)("a column of type %s refuses %s: %s", (type, id, problem) => {
    expect(canonicalJobId(id, type)).toEqual({ ok: false, problem });
  });

  test("two spellings of a number are never two jobs, and two numbers never one", () => {
    const spelling = fc
      .tuple(fc.bigInt(-3n, 3n), fc.constantFrom("", "0", "+", "-", " "), fc.constantFrom("", ".0", " ", "n"))
      .map(([value, before, behind]) => `${before}${value}${behind}`);
    const id: fc.Arbitrary<JobId> = fc.oneof(spelling, fc.integer({ min: -3, max: 3 }), fc.bigInt(-3n, 3n));
    fc.assert(
      fc.property(fc.constantFrom<JobIdType>("integer", "bigint"), id, id, (type, one, other) => {
        const [first, second] = [canonicalJobId(one, type), canonicalJobId(other, type)];
        if (!first.ok || !second.ok) return;
        expect(BigInt(first.id)).toBe(BigInt(one));
        expect(first.id === second.id).toBe(BigInt(one) === BigInt(other));
      }),
      { numRuns: 1_000 },
    );
  });

  test("two spellings of a UUID are never two jobs", () => {
    fc.assert(
      fc.property(fc.uuid(), fc.func(fc.boolean()), (id, raised) => {
        const spelled = [...id].map((digit, place) => (raised(place) ? digit.toUpperCase() : digit)).join("");
        expect(canonicalJobId(spelled, "uuid")).toEqual({ ok: true, id });
      }),
    );
  });

  test("a canonical id is its own canonical id, whatever it was made from", () => {
    const types = fc.constantFrom<JobIdType>("integer", "bigint", "uuid", "text");
    const anyId = fc.oneof(fc.string({ unit: "binary" }), fc.maxSafeInteger(), fc.bigInt(), fc.uuid());
    fc.assert(
      fc.property(types, anyId, (type, id) => {
        const first = canonicalJobId(id, type);
        if (first.ok) expect(canonicalJobId(first.id, type)).toEqual(first);
      }),
    );
  });
});

describe("an id in JSON", () => {
  test.each([
    ["123", "integer", 123],
    ["-1", "bigint", -1],
    ["9007199254740991", "bigint", 9_007_199_254_740_991],
    ["9007199254740992", "bigint", "9007199254740992"],
    ["-9007199254740992", "bigint", "-9007199254740992"],
    [uuid, "uuid", uuid],
    ["123", "text", "123"],
  ] as const)("%j of type %s is %j", (id, type, expected) => {
    expect(jsonJobId(id, type)).toBe(expected);
  });
});

describe("what can name a job", () => {
  test.each([42, 0, -1, 42n, "42", " ", Number.MAX_SAFE_INTEGER])("%s can", (value) => {
    expect(isJobId(value)).toBe(true);
  });

  test.each([
    "",
    4.2,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    null,
    undefined,
    true,
    {},
    ["42"],
    Symbol("42"),
    Object("42"),
  ])("%s cannot", (value) => {
    expect(isJobId(value)).toBe(false);
  });
});
