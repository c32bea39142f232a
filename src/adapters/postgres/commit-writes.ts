import type { CommitOutcome, JobWrite } from "../../ports/storage.js";
import type { CommitStatement } from "./commit-statement.js";
import type { Run } from "./run.js";

/** Applies writes in one statement, answering in their order. `lockTimeoutMs` null leaves the caller's own bound. */
export async function commitWrites(
  run: Run,
  statement: CommitStatement,
  writes: readonly JobWrite[],
  lockTimeoutMs: number | null,
): Promise<readonly CommitOutcome[]> {
  if (writes.length === 0) return [];
  const [row] = await run(...statement(writes, lockTimeoutMs));
  const committed = ordinals(row?.committed);
  const cancelled = ordinals(row?.cancelled);
  return writes.map((_, index) =>
    committed.has(index + 1) ? { kind: "committed", cancelRequested: cancelled.has(index + 1) } : { kind: "conflict" },
  );
}

function ordinals(text: string | null | undefined): ReadonlySet<number> {
  return new Set(text?.split(",").map(Number));
}
