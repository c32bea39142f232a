import { describe, expect, test } from "vitest";
import { reasonOf } from "../../src/domain/reason-of.js";

const unprintable = Object.create(null);

describe("the reason of an error", () => {
  test.each([
    [new Error("Broken"), "Broken"],
    [Object.assign(new Error(""), { code: "ECONNREFUSED" }), "ECONNREFUSED"],
    [new RangeError(""), "RangeError"],
    ["thrown text", "thrown text"],
    [undefined, "undefined"],
    [Symbol("sign"), "Symbol(sign)"],
  ])("is what it says: %s", (error, reason) => {
    expect(reasonOf(error)).toBe(reason);
  });

  test("is without the password of a URL", () => {
    expect(reasonOf(new Error("cannot reach amqp://me:secret@host"))).not.toContain("secret");
  });

  test.each([
    ["an object without a prototype", unprintable],
    ["an error whose message is one", Object.assign(new Error(), { message: unprintable })],
    ["an error whose name is one", Object.assign(new Error(), { name: unprintable })],
    [
      "an object that refuses",
      {
        toString() {
          throw new Error("no");
        },
      },
    ],
  ])("is in words also for %s", (_, error) => {
    expect(reasonOf(error)).toBe("something that cannot be printed");
  });
});
