import { describe, expect, test } from "vitest";
import { canTransition, isJobStatus, isTerminal, jobStatuses, nextStatuses } from "../../src/domain/job-status.js";
import { tableOf, textTable } from "./text-table.js";

describe("job status", () => {
  test("every transition within an attempt is the one of the table", () => {
    const rows = jobStatuses.map((from) => [from, ...jobStatuses.map((to) => (canTransition(from, to) ? "yes" : "-"))]);
    expect(textTable([["from \\ to", ...jobStatuses], ...rows])).toBe(
      tableOf(`
        from \\ to  pending  queued  running  retrying  completed  failed  cancelled  timeout
        pending    yes      yes     yes      -         -          yes     yes        yes
        queued     yes      yes     yes      -         -          yes     yes        yes
        running    yes      yes     yes      yes       yes        yes     yes        yes
        retrying   yes      yes     yes      yes       -          yes     yes        yes
        completed  yes      yes     -        -         yes        -       -          -
        failed     yes      yes     -        -         -          yes     -          -
        cancelled  yes      yes     -        -         -          -       yes        -
        timeout    yes      yes     -        -         -          -       -          yes
      `),
    );
  });

  test("the next statuses are the legal ones without the status itself", () => {
    for (const from of jobStatuses) {
      const legal = jobStatuses.filter((to) => to !== from && canTransition(from, to));
      expect(new Set(nextStatuses(from))).toEqual(new Set(legal));
    }
  });

  test("completed, failed, cancelled and timeout are terminal", () => {
    expect(jobStatuses.filter(isTerminal)).toEqual(["completed", "failed", "cancelled", "timeout"]);
  });

  test("a status is known only when spelled exactly", () => {
    expect(jobStatuses.every(isJobStatus)).toBe(true);
    for (const value of ["Running", "running ", "done", "", "toString", "__proto__", 0, null, undefined, ["running"]]) {
      expect(isJobStatus(value)).toBe(false);
    }
  });
});
