import pg from "pg";
import { expect, test } from "vitest";
import { journaledChanges } from "../guarantees/journal.js";
import { quietPool } from "../guarantees/stage.js";
import { eventually } from "../support/eventually.js";
import { privatePostgres } from "../support/servers.js";
import { courseOptions, expectPromisesKept, type FaultCourse, type FaultPlan, runFaultCourse } from "./fault-course.js";
import type { Scene } from "./scene.js";

/** Nothing that was reported is refused: progress is deferred, and changes are stored or reject with the one code. */
function expectDeferred(course: FaultCourse, ...causes: readonly string[]): void {
  expectPromisesKept(course);
  const { outcomes, changes, causes: seen } = course.worker.seen.fault;
  expect(outcomes["deferred STORAGE_UNAVAILABLE"]).toBeGreaterThan(0);
  expect(Object.keys(outcomes).filter((name) => !allowed.has(name))).toEqual([]);
  expect(Object.keys(changes).filter((name) => !allowed.has(name))).toEqual([]);
  expect(Object.keys(seen).filter((cause) => causes.includes(cause))).not.toEqual([]);
}

// A change whose answer was lost may have landed: trying it again finds the job finished.
const allowed: ReadonlySet<string> = new Set([
  "written",
  "coalesced",
  "deferred STORAGE_UNAVAILABLE",
  "rejected JOB_FINISHED",
  "stored",
  "rejected STORAGE_UNAVAILABLE",
]);

function runCourse(plan: Omit<FaultPlan, "server">): Promise<FaultCourse> {
  return runFaultCourse({ server: "PostgreSQL", ...plan });
}

test("refused: progress is deferred and changes reject, until the newest lands", async () => {
  const course = await runCourse({
    fault: "refused",
    inject: ({ network }) => network.databaseUrl.refuse(),
    heal: ({ network }) => network.databaseUrl.accept(),
  });
  expectDeferred(course, "ECONNREFUSED");
});
