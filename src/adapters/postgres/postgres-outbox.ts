import type { OutboxAdapter } from "../../ports/outbox.js";
import { acknowledgeEvents, acknowledgeStatement } from "./acknowledge-events.js";
import { claimEvents, claimStatement } from "./claim-events.js";
import { backlogStatement, measureBacklog } from "./measure-backlog.js";
import type { OutboxTables } from "./outbox-tables.js";
import { releaseLease, releaseStatement } from "./release-lease.js";
import type { Run } from "./run.js";

/** The outbox on PostgreSQL. */
export function postgresOutbox(tables: OutboxTables, run: Run): OutboxAdapter {
  const claim = claimStatement(tables);
  const acknowledge = acknowledgeStatement(tables);
  const release = releaseStatement(tables);
  const backlog = backlogStatement(tables);
  return Object.freeze({
    claim: (request) => claimEvents(run, tables, claim, request),
    acknowledge: (positions) => acknowledgeEvents(run, acknowledge, positions),
    release: (owner) => releaseLease(run, tables, release, owner),
    backlog: () => measureBacklog(run, backlog),
  } satisfies OutboxAdapter);
}
