import type pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { keepJournal } from "../guarantees/journal.js";
import { openStage, type Stage } from "../guarantees/stage.js";
import { auditSoak, violations } from "./soak-audit.js";
import { makeEffects } from "./soak-servers.js";

const nothingTold = { ended: [], newest: [] };
let stage: Stage;
let db: pg.Pool;

beforeAll(async () => {
  stage = await openStage({ redisUrl: null, rabbitmqUrl: null });
  db = stage.db;
  await keepJournal(db);
  await makeEffects(db);
});
/** One job that was begun and completed, its events and their effects, as they have to be. */
beforeEach(async () => {
  await db.query("truncate job_journal, event_journal, effects restart identity");
  await db.query(`
    insert into job_journal
      (transaction, job_id, old_status, new_status, old_progress, new_progress, old_attempts, new_attempts, first_written)
    values ('1', '1', 'pending', 'running', 0, 0, 0, 1, true), ('2', '1', 'running', 'running', 0, 40, 1, 1, false),
      ('3', '1', 'running', 'completed', 40, 100, 1, 1, false)`);
  await db.query(`
    insert into event_journal (transaction, job_id, event_id, payload)
    select transaction, job_id, gen_random_uuid(), json_build_object('previous_status', old_status, 'status', new_status,
      'previous_progress', old_progress, 'progress', new_progress, 'attempt', new_attempts)
    from job_journal order by seq`);
  await db.query("insert into effects (event_id, job_id) select event_id, job_id from event_journal order by seq");
});
afterAll(() => stage.close());

test("an untampered history has no violation", async () => {
  const audit = await auditSoak(db, { ...nothingTold, ended: [{ jobId: "1", attempt: 1, status: "completed" }] });
  expect(violations(audit)).toEqual([]);
  expect(audit).toMatchObject({ changes: 3, events: 3 });
});

describe("the audit finds", () => {
  test.each([
    ["a lost effect", "delete from effects where seq = 2", "lost_effects: 1"],
    [
      "a doubled effect",
      "insert into effects (event_id, job_id) select event_id, job_id from effects where seq = 1",
      "doubled_effects: 1",
    ],
    [
      "an invented effect",
      "insert into effects (event_id, job_id) values (gen_random_uuid(), '1')",
      "invented_effects: 1",
    ],
    [
      "effects out of order",
      "update effects set event_id = (select event_id from event_journal where seq = 4 - effects.seq)",
      "effects_out_of_order: 2",
    ],
    ["a decrease", "update job_journal set old_progress = 60 where seq = 2", "decreases: 1"],
    ["an attempt that goes back", "update job_journal set old_attempts = 2 where seq = 3", "attempts_going_back: 1"],
    ["a change without its event", "delete from event_journal where seq = 3", "changes_without_event: 1"],
    ["an event without a change", "delete from job_journal where seq = 2", "events_without_change: 1"],
    [
      "an illegal transition",
      "update job_journal set old_status = 'completed' where seq = 2",
      "illegal_transitions: 1",
    ],
    [
      "an event that still waits",
      "insert into worker_progress_outbox (event_id, job_id, payload) values (gen_random_uuid(), '1', '{}')",
      "waiting_events: 1",
    ],
  ])("%s", async (_, tamper, violation) => {
    await db.query(tamper);
    expect(violations(await auditSoak(db, nothingTold))).toContain(violation);
    await db.query("delete from worker_progress_outbox");
  });

  test("a call that resolved for a change that is not stored", async () => {
    const audit = await auditSoak(db, { ...nothingTold, ended: [{ jobId: "1", attempt: 1, status: "failed" }] });
    expect(violations(audit)).toEqual(["untrue_endings: 1"]);
  });

  test("accepted progress that is not stored", async () => {
    const jobId = await stage.job();
    await db.query("update worker_progress_jobs set status = 'running', attempts = 1, progress = 40 where id = $1", [
      jobId,
    ]);
    const audit = await auditSoak(db, { ...nothingTold, newest: [{ jobId, attempt: 1, percent: 41.5 }] });
    expect(violations(audit)).toContain("lost_newest: 1");
  });
});
