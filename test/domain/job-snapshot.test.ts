import { describe, expect, test } from "vitest";
import { applyPatch } from "../../src/domain/job-snapshot.js";
import { at, failedJob, job } from "./sample-job.js";

const next = { status: "running", progress: 40, attempt: 3 } as const;

describe("a patch", () => {
  test("sets the version and its keys, and leaves the rest", () => {
    expect(applyPatch(job(), next, { step: "meshing", updatedAt: at })).toEqual(
      job({ ...next, step: "meshing", updatedAt: at }),
    );
  });

  test("empties with null what an absent key leaves", () => {
    const emptied = applyPatch(failedJob, next, { errorCode: null, finishedAt: null, output: null, updatedAt: at });
    expect(emptied).toMatchObject({ errorCode: null, finishedAt: null, output: null, errorMessage: "Broken" });
  });

  test("merges metrics key by key, one level deep", () => {
    const stored = job({ metrics: { items: 1, nested: { a: 1 }, other: "kept" } });
    const { metrics } = applyPatch(stored, next, { metrics: { items: 2, nested: { b: 2 } }, updatedAt: at });
    expect(metrics).toEqual({ items: 2, nested: { b: 2 }, other: "kept" });
    expect(applyPatch(job(), next, { metrics: { items: 1 }, updatedAt: at }).metrics).toEqual({ items: 1 });
    expect(applyPatch(job(), next, { updatedAt: at }).metrics).toBeNull();
  });

  test("leaves when the job first started as it is", () => {
    const first = applyPatch(job({ startedAt: null }), next, { startedAt: at, updatedAt: at });
    const second = applyPatch(first, next, { startedAt: at + 5, updatedAt: at + 5 });
    expect([first.startedAt, second.startedAt]).toEqual([at, at]);
  });

  test("changes neither the job nor itself", () => {
    const stored = Object.freeze(job({ metrics: Object.freeze({ items: 1 }) }));
    const set = Object.freeze({ metrics: Object.freeze({ more: 2 }), updatedAt: at });
    expect(applyPatch(stored, next, set)).not.toBe(stored);
    expect([stored.metrics, set.metrics]).toEqual([{ items: 1 }, { more: 2 }]);
  });
});
