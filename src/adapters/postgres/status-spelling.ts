import { type JobStatus, jobStatuses } from "../../domain/job-status.js";
import type { JobTable } from "./job-table.js";

/** How statuses read in the table, both ways. */
export interface StatusSpelling {
  readonly spelled: ReadonlyMap<JobStatus, string>;
  readonly meant: ReadonlyMap<string, JobStatus>;
}

/** How a mapping spells a status; null when the table cannot hold it. */
export function spellingOf(statuses: JobTable["statuses"], status: JobStatus): string | null {
  const spelling = statuses?.[status];
  return spelling === undefined ? status : spelling;
}

/** The spellings of a mapping; where the column is an enum, only those that are among its `labels`. */
export function statusSpelling(table: JobTable, labels: readonly string[] | null): StatusSpelling {
  const spelled = new Map<JobStatus, string>();
  for (const status of jobStatuses) {
    const spelling = spellingOf(table.statuses, status);
    if (spelling !== null && (labels === null || labels.includes(spelling))) spelled.set(status, spelling);
  }
  return { spelled, meant: new Map([...spelled].map(([status, spelling]) => [spelling, status])) };
}

/** The spelling of a status that the engine may write. */
export function spell(spelling: StatusSpelling, status: JobStatus): string {
  const text = spelling.spelled.get(status);
  if (text === undefined) throw new RangeError(`Status "${status}" has no spelling in the mapping`);
  return text;
}
