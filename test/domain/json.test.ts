import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkJson, checkJsonObject, type JsonObject, mergeJson } from "../../src/domain/json.js";

const maxBytes = 65_536;
const unreadable = "metrics cannot be read as JSON";

function problemOf(value: unknown): string {
  const checked = checkJson(value, maxBytes, "metrics");
  return checked.ok ? "none" : checked.problem;
}

function copyOf(value: unknown): unknown {
  const checked = checkJson(value, maxBytes, "metrics");
  return checked.ok ? checked.value : checked.problem;
}

function nested(depth: number): unknown {
  return depth === 0 ? 1 : { inner: nested(depth - 1) };
}

function cyclic(): unknown {
  const items: unknown[] = [1];
  items.push({ items });
  return { items };
}

describe("what JSON cannot hold is refused, saying where", () => {
  test.each([
    ["undefined", undefined, "metrics is undefined, which JSON cannot hold"],
    ["a function", { items: { map() {} } }, "metrics.items.map is a function, which JSON cannot hold"],
    ["a symbol", [Symbol("x")], "metrics[0] is a symbol, which JSON cannot hold"],
    ["a BigInt", { ids: [1, 2n] }, "metrics.ids[1] is a bigint, which JSON cannot hold"],
    ["NaN", { rate: Number.NaN }, "metrics.rate is NaN, which JSON cannot hold"],
    ["Infinity", { eta: [Number.NEGATIVE_INFINITY] }, "metrics.eta[0] is -Infinity, which JSON cannot hold"],
    ["a cycle", cyclic(), "metrics.items[1].items refers back to an object that holds it"],
    ["33 levels", nested(33), `metrics${".inner".repeat(32)} is nested more than 32 levels deep`],
    ["5,000 levels", nested(5_000), `metrics${".inner".repeat(32)} is nested more than 32 levels deep`],
    ["an invalid Date in toJSON", { toJSON: () => ({ at: Number.NaN }) }, "metrics.at is NaN, which JSON cannot hold"],
    ["a throwing getter", Object.defineProperty({}, "x", { enumerable: true, get: fail }), unreadable],
    ["a throwing toJSON", { toJSON: fail }, unreadable],
    ["a revoked proxy", revoked(), unreadable],
  ])("%s", (_name, value, problem) => {
    expect(problemOf(value)).toBe(problem);
  });

  test("metrics must be an object", () => {
    for (const value of [null, [1], "text", 1, true, new Date(0)]) {
      expect(checkJsonObject(value, maxBytes, "metrics")).toEqual({
        ok: false,
        problem: "metrics must be a JSON object",
      });
    }
    expect(checkJsonObject({ items: 1 }, maxBytes, "metrics")).toEqual({ ok: true, value: { items: 1 } });
    expect(checkJsonObject({ items: 1n }, maxBytes, "metrics")).toMatchObject({ ok: false });
  });
});

describe("a copy is what JSON.stringify would have stored", () => {
  test("of any JSON value, key by key and in order", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        const copy = copyOf(value);
        expect(copy).toStrictEqual(JSON.parse(text));
        expect(JSON.stringify(copy)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["a Date", { at: new Date(Date.UTC(2024, 0, 20)) }, { at: "2024-01-20T00:00:00.000Z" }],
    ["an invalid Date", { at: new Date(Number.NaN) }, { at: null }],
    [
      "toJSON of a class",
      {
        point: new (class {
          toJSON() {
            return [1, 2];
          }
        })(),
      },
      { point: [1, 2] },
    ],
    ["an undefined property", { a: undefined, b: 1 }, { b: 1 }],
    ["an undefined item", [1, undefined], [1, null]],
    ["a hole", new Array(2), [null, null]],
    ["negative zero", [-0], [0]],
    ["an inherited property", Object.create({ inherited: 1 }), {}],
    ["a symbol key", { [Symbol("x")]: 1, a: 1 }, { a: 1 }],
    ["no prototype", Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ["the same object twice", twice({ a: 1 }), [{ a: 1 }, { a: 1 }]],
    ["32 levels", nested(32), nested(32)],
  ])("%s", (_name, value, expected) => {
    expect(copyOf(value)).toStrictEqual(expected);
  });

  test("text inside, keys too, is made well-formed", () => {
    expect(copyOf({ "k\0": ["a\0b", "\uD800"] })).toEqual({ "k\uFFFD": ["a\uFFFDb", "\uFFFD"] });
  });

  test("it shares nothing with the original", () => {
    const original = { items: [{ a: 1 }] };
    const copy = copyOf(original);
    original.items.push({ a: 2 });
    expect(copy).toEqual({ items: [{ a: 1 }] });
  });

  test("__proto__ stays an ordinary key and pollutes nothing", () => {
    const hostile = JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}');
    const copy = copyOf(hostile) as JsonObject;
    expect(JSON.stringify(copy)).toBe(JSON.stringify(hostile));
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
    expect(copy.admin).toBeUndefined();
    expect(({} as JsonObject).admin).toBeUndefined();
  });
});

describe("the size limit", () => {
  test("is counted in bytes of UTF-8, exactly", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
        const size = Buffer.byteLength(JSON.stringify(copyOf(value)));
        expect(checkJson(value, size, "output")).toMatchObject({ ok: true });
        expect(checkJson(value, size - 1, "output")).toMatchObject({ ok: false });
      }),
      { numRuns: 200 },
    );
  });

  test("tells the size and the limit", () => {
    expect(checkJson(["😀é\n"], 12, "output")).toMatchObject({ ok: true });
    expect(checkJson(["😀é\n"], 11, "output")).toEqual({
      ok: false,
      problem: "output is 12 bytes of JSON, at most 11 are stored",
    });
  });

  test.each([
    ["1 MB of text", { blob: "x".repeat(1_048_576) }],
    ["1 MB of keys", Object.fromEntries(Array.from({ length: 100_000 }, (_, key) => [`key ${key}`, null]))],
    ["a billion holes", new Array(1_000_000_000)],
    ["a tree of a billion leaves, shared so that it fits in memory", doubled(30)],
  ])("refuses %s without copying it", (_name, value) => {
    expect(problemOf(value)).toBe("metrics is more than 65536 bytes of JSON, which is the most that is stored");
  });
});

describe("merging", () => {
  test("keeps the keys of both, the newer value where both have one, one level deep", () => {
    const [older, newer] = [Object.freeze({ a: 1, b: { c: 1 } }), Object.freeze({ b: { d: 2 }, e: null })];
    expect(mergeJson(older, newer)).toEqual({ a: 1, b: { d: 2 }, e: null });
  });

  test("is associative, and the same as spreading", () => {
    const object = fc.dictionary(fc.constantFrom("a", "b", "c", "__proto__"), fc.jsonValue({ maxDepth: 1 }));
    fc.assert(
      fc.property(object, object, object, (a, b, c) => {
        const [x, y, z] = [a, b, c] as JsonObject[] as [JsonObject, JsonObject, JsonObject];
        expect(mergeJson(mergeJson(x, y), z)).toStrictEqual(mergeJson(x, mergeJson(y, z)));
        expect(JSON.stringify(mergeJson(x, y))).toBe(JSON.stringify({ ...x, ...y }));
      }),
    );
  });
});

function fail(): never {
  throw new Error("of the worker's own");
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function twice(value: unknown): unknown {
  return [value, value];
}

function doubled(levels: number): unknown {
  return levels === 0 ? 1 : twice(doubled(levels - 1));
}
