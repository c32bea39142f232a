import type { CommitOutcome, JobWrite } from "../../ports/storage.js";
import type { CommitStatement } from "./commit-statement.js";
import { isContention } from "./postgres-errors.js";
import type { Run, TextRow } from "./run.js";

/** Applies writes in one statement, answering in their order. `lockTimeoutMs` null leaves the caller's own bound. */
export async function commitWrites(
  run: Run,
  statement: CommitStatement,
  writes: readonly JobWrite[],
  lockTimeoutMs: number | null,
): Promise<readonly CommitOutcome[]> {
  if (writes.length === 0) return [];
  try {
    const [row] = await run(...statement(writes, lockTimeoutMs, "wait"));
    return outcomes(writes, row, { kind: "conflict" });
  } catch (error) {
    if (lockTimeoutMs === null || !isContention(error)) throw error;
    // A row that another transaction keeps must not hold up the others of its batch.
    const [row] = await run(...statement(writes, lockTimeoutMs, "skip"));
    return outcomes(writes, row, { kind: "locked" });
  }
}

function outcomes(
  writes: readonly JobWrite[],
  row: TextRow | undefined,
  otherwise: CommitOutcome,
): readonly CommitOutcome[] {
  const committed = ordinals(row?.committed);
  const cancelled = ordinals(row?.cancelled);
  return writes.map((_, index) =>
    committed.has(index + 1) ? { kind: "committed", cancelRequested: cancelled.has(index + 1) } : otherwise,
  );
}

function ordinals(text: string | null | undefined): ReadonlySet<number> {
  return new Set(text?.split(",").map(Number));
}
