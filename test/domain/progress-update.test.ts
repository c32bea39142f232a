import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decide } from "../../src/domain/decide.js";
import type { JsonObject } from "../../src/domain/json.js";
import { coalesce, type ProgressUpdate } from "../../src/domain/progress-update.js";
import { anyJob, anyRules, anyUpdate } from "./any-history.js";
import { command, jobAfter } from "./sample-job.js";

describe("coalescing", () => {
  test("the newer value of each key wins, an absent key leaves the older", () => {
    const older = { percent: 10, step: "slicing", message: "Slicing", metrics: { items: 1, kept: true } };
    expect(coalesce(older, { percent: 20, message: "More", metrics: { items: 2 } })).toEqual({
      percent: 20,
      step: "slicing",
      message: "More",
      metrics: { items: 2, kept: true },
    });
    expect(coalesce(older, { percent: 20 })).toEqual({ ...older, percent: 20 });
    expect(coalesce({ percent: 1 }, older)).toEqual(older);
  });

  test("empty text is a value", () => {
    expect(coalesce({ percent: 1, step: "a", message: "b" }, { percent: 1, step: "", message: "" })).toMatchObject({
      step: "",
      message: "",
    });
  });

  test("with nothing before it an update is itself", () => {
    const update = { percent: 10 };
    expect(coalesce(null, update)).toBe(update);
  });

  test("is associative", () => {
    fc.assert(
      fc.property(anyUpdate, anyUpdate, anyUpdate, (a, b, c) => {
        expect(coalesce(coalesce(a, b), c)).toEqual(coalesce(a, coalesce(b, c)));
      }),
    );
  });

  test("changes neither update", () => {
    const frozen = (update: ProgressUpdate, metrics: JsonObject) =>
      Object.freeze({ ...update, metrics: Object.freeze(metrics) });
    const [older, newer] = [frozen({ percent: 1 }, { a: 1 }), frozen({ percent: 2 }, { b: 2 })];
    expect(coalesce(older, newer).metrics).toEqual({ a: 1, b: 2 });
    expect([older.metrics, newer.metrics]).toEqual([{ a: 1 }, { b: 2 }]);
  });

  test("writing one update then another stores the same as writing both coalesced, whenever both are accepted", () => {
    let compared = 0;
    const anyCase = anyRules.chain((rules) => fc.tuple(fc.constant(rules), anyJob(rules), anyUpdate, anyUpdate));
    fc.assert(
      fc.property(anyCase, ([rules, stored, older, newer]) => {
        const report = (update: ProgressUpdate) => command({ kind: "progress", update });
        const first = decide(stored, report(older), rules);
        const between = jobAfter(stored, first);
        const second = decide(between, report(newer), rules);
        if (first.kind === "reject" || second.kind === "reject") return;
        compared++;
        const together = decide(stored, report(coalesce(older, newer)), rules);
        // Two updates at one instant have no rate between them.
        const rate = null;
        expect({ ...jobAfter(stored, together), rate }).toEqual({ ...jobAfter(between, second), rate });
      }),
      { numRuns: 1_000 },
    );
    expect(compared).toBeGreaterThan(50);
  });
});
