import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cleanText } from "../../src/domain/text.js";

const utf16 = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd800, max: 0xdfff }), fc.constant(0)))
  .map((units) => String.fromCharCode(...units));

describe("text", () => {
  test.each([
    ["plain", "plain"],
    ["", ""],
    ["a\0b\0", "a\uFFFDb\uFFFD"],
    ["high \uD83D", "high \uFFFD"],
    ["low \uDE00 end", "low \uFFFD end"],
    ["\uDE00\uD83D", "\uFFFD\uFFFD"],
    ["pair 😀", "pair 😀"],
    ["newline\n tab\t \u0001", "newline\n tab\t \u0001"],
  ])("%j becomes %j", (text, clean) => {
    expect(cleanText(text, 100)).toBe(clean);
  });

  test("at the limit it is whole, one unit over it is cut and says so", () => {
    expect(cleanText("12345", 5)).toBe("12345");
    expect(cleanText("123456", 5)).toBe("1234…");
    expect(cleanText("123456", 1)).toBe("…");
  });

  test("a cut never splits a pair", () => {
    expect(cleanText("abc😀def", 5)).toBe("abc…");
    expect(cleanText("abc😀def", 6)).toBe("abc😀…");
    expect(cleanText("😀😀", 2)).toBe("…");
  });

  test("an ellipsis of the text's own, behind a lone surrogate, is not taken for a cut", () => {
    expect(cleanText("a\uD83D…", 3)).toBe("a\uFFFD…");
  });

  test("1 MB is cut to the limit", () => {
    expect(cleanText("😀".repeat(262_144), 2_000)).toBe(`${"😀".repeat(999)}…`);
    expect(cleanText("\0".repeat(1_048_576), 2_000)).toBe(`${"\uFFFD".repeat(1_999)}…`);
  });

  test("any text comes out well-formed, without NUL, within the limit, and cleaning it again changes nothing", () => {
    fc.assert(
      fc.property(utf16, fc.integer({ min: 1, max: 12 }), (text, limit) => {
        const clean = cleanText(text, limit);
        expect(clean.isWellFormed()).toBe(true);
        expect(clean).not.toContain("\0");
        expect(clean.length).toBeLessThanOrEqual(limit);
        expect(cleanText(clean, limit)).toBe(clean);
      }),
    );
  });

  test("well-formed text keeps all that fits, to the last whole character", () => {
    const wellFormed = fc.string({ unit: "binary" }).filter((text) => !text.includes("\0"));
    fc.assert(
      fc.property(wellFormed, fc.integer({ min: 1, max: 12 }), (text, limit) => {
        const clean = cleanText(text, limit);
        const kept = text.length <= limit ? text : clean.slice(0, -1);
        expect(clean).toBe(kept === text ? text : `${kept}…`);
        expect(text.startsWith(kept)).toBe(true);
        expect(clean.length).toBeGreaterThanOrEqual(Math.min(text.length, limit - 1));
      }),
    );
  });
});
