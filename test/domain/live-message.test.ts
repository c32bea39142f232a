import { describe, expect, test } from "vitest";
import { readCancellation, readNews } from "../../src/domain/live-message.js";

const told = { kind: "progress", attempt: 1, progress: 50, step: "mesh", message: null, at: 1_705_746_600_000.5 };
const stored = { ...told, kind: "stored", status: "running", rate: 2.5 };

describe("news off a wire", () => {
  test.each([told, stored, { ...stored, rate: null }])("is taken with its own fields alone: %o", (news) => {
    expect(readNews("job", { ...news, jobId: "forged", later: "field" })).toEqual({ ...news, jobId: "job" });
  });

  test.each<[string, unknown]>([
    ["no object", "progress"],
    ["nothing", null],
    ["another kind", { ...told, kind: "other" }],
    ["an attempt below 0", { ...told, attempt: -1 }],
    ["half an attempt", { ...told, attempt: 1.5 }],
    ["an attempt that cannot be told from the next", { ...told, attempt: 2 ** 53 }],
    ["a percent below 0", { ...told, progress: -1 }],
    ["a percent above 100", { ...told, progress: 100.1 }],
    ["a percent that is text", { ...told, progress: "50" }],
    ["a step that is no text", { ...told, step: 42 }],
    ["a message that is no text", { ...told, message: {} }],
    ["no time", { ...told, at: null }],
    ["a time before any job's", { ...told, at: -1 }],
    ["a time that no calendar has", { ...told, at: 1e300 }],
    ["a time beyond the year 9999", { ...told, at: Date.UTC(10_000, 0) }],
    [
      "an endless time",
      JSON.parse('{"kind":"progress","attempt":1,"progress":50,"step":null,"message":null,"at":1e999}'),
    ],
    ["an unknown status", { ...stored, status: "exploded" }],
    ["no status", { ...stored, status: undefined }],
    ["a rate that is text", { ...stored, rate: "2" }],
    ["a rate below 0", { ...stored, rate: -1 }],
    ["a rate that no JSON can say a thousandfold", { ...stored, rate: 1e308 }],
  ])("with %s is none", (_, value) => {
    expect(readNews("job", value)).toBeNull();
  });
});

describe("a wish to cancel off a wire", () => {
  test("is taken with its reason or without, and no other field", () => {
    const wish = { kind: "cancellation", jobId: "job" };
    expect(readCancellation({ ...wish, later: "field" })).toEqual({ ...wish, reason: null });
    expect(readCancellation({ ...wish, reason: "No longer needed" })).toEqual({ ...wish, reason: "No longer needed" });
  });

  test.each<[string, unknown]>([
    ["no object", "cancellation"],
    ["another kind", { ...told, jobId: "job" }],
    ["no job", { kind: "cancellation" }],
    ["a job that is no text", { kind: "cancellation", jobId: 42 }],
    ["a reason that is no text", { kind: "cancellation", jobId: "job", reason: 42 }],
  ])("with %s is none", (_, value) => {
    expect(readCancellation(value)).toBeNull();
  });
});
