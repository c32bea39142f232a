import assert from "node:assert/strict";
import type { JobWrite } from "../ports/storage.js";
import { newJob, newJobs, outboxOf, runningAt, stored, waiting, withEvent, write } from "./storage-fixtures.js";
import type { StorageCase, StorageUnderTest } from "./storage-under-test.js";

const claimOf = (after: string | null, limit: number) => ({ owner: "conformance", leaseMs: 60_000, after, limit });

/** What `commit` and the outbox promise of events. */
export const storageOutboxCases: readonly StorageCase[] = [
  {
    name: "an event is stored with its change, exactly as it was given",
    body: async (subject) => {
      const change = await withEvent(subject.storage, write(await newJob(subject), runningAt(40)));
      await subject.storage.commit([change]);
      const rows = await waiting(subject.storage);
      assert.deepEqual(
        rows.map((row) => row.event),
        [change.event],
      );
      assert.equal(JSON.stringify(rows[0]?.event.payload), JSON.stringify(change.event?.payload));
    },
  },
  {
    name: "a write in conflict stores no event, while its neighbours store theirs",
    body: async (subject) => {
      const { storage } = subject;
      const jobs = await newJobs(subject, 3);
      const writes = await Promise.all(jobs.map((job) => withEvent(storage, write(job, runningAt(40)))));
      const stale = { ...(writes[1] as JobWrite), expected: runningAt(7) };
      await storage.commit([writes[0] as JobWrite, stale, writes[2] as JobWrite]);
      assert.deepEqual(await waitingIds(subject), [writes[0]?.event?.id, writes[2]?.event?.id]);
    },
  },
  {
    name: "a change without an event stores none",
    body: async (subject) => {
      await subject.storage.commit([write(await newJob(subject), runningAt(40))]);
      assert.deepEqual(await waiting(subject.storage), []);
    },
  },
  {
    name: "events are claimed in order, behind a position and up to a limit",
    body: async (subject) => {
      const ids = await manyEvents(subject, 5);
      const outbox = outboxOf(subject.storage);
      const first = await outbox.claim(claimOf(null, 2));
      assert.ok(first.held);
      assert.deepEqual(eventIds(first.rows), ids.slice(0, 2));
      const next = await outbox.claim(claimOf(first.rows[1]?.position ?? null, 100));
      assert.ok(next.held);
      assert.deepEqual(eventIds(next.rows), ids.slice(2));
      assert.deepEqual(next.before.toSorted(), first.rows.map(({ position }) => position).toSorted());
      assert.deepEqual(await outbox.claim(claimOf(null, 0)), { held: true, rows: [], before: [] });
    },
  },
  {
    name: "an acknowledged event is gone, and acknowledging it again is no error",
    body: async (subject) => {
      const ids = await manyEvents(subject, 3);
      const outbox = outboxOf(subject.storage);
      const [first, second] = await waiting(subject.storage);
      await outbox.acknowledge([first?.position ?? "", second?.position ?? ""]);
      await outbox.acknowledge([second?.position ?? ""]);
      await outbox.acknowledge([]);
      assert.deepEqual(await waitingIds(subject), ids.slice(2));
    },
  },
  {
    name: "the backlog counts what waits and tells since when",
    body: async (subject) => {
      const outbox = outboxOf(subject.storage);
      assert.deepEqual(await outbox.backlog(), { waiting: 0, oldestAt: null });
      await manyEvents(subject, 3);
      const { waiting: count, oldestAt } = await outbox.backlog();
      assert.equal(count, 3);
      assert.ok(Number.isSafeInteger(oldestAt));
    },
  },
];

async function manyEvents(subject: StorageUnderTest, count: number): Promise<readonly string[]> {
  const { storage } = subject;
  const { id } = await newJob(subject);
  const ids: string[] = [];
  while (ids.length < count) {
    const change = await withEvent(storage, write(await stored(storage, id), runningAt(ids.length)));
    await storage.commit([change]);
    ids.push(change.event?.id ?? "");
  }
  return ids;
}

async function waitingIds({ storage }: StorageUnderTest): Promise<readonly string[]> {
  return eventIds(await waiting(storage));
}

function eventIds(rows: Awaited<ReturnType<typeof waiting>>): readonly string[] {
  return rows.map((row) => row.event.id);
}
