import assert from "node:assert/strict";
import type { JobSnapshot } from "../domain/job-snapshot.js";
import type { CommitOutcome, StorageAdapter } from "../ports/storage.js";
import { newJob, newJobs, runningAt, stored, waiting, withEvent, write } from "./storage-fixtures.js";
import type { StorageCase } from "./storage-under-test.js";

/** What `commit` promises when several writers are at it. */
export const storageConcurrencyCases: readonly StorageCase[] = [
  {
    name: "of writers that expect the same version exactly one commits, with its event",
    body: async (subject) => {
      const { storage, peer } = subject;
      const job = await newJob(subject);
      const writes = await Promise.all(
        Array.from({ length: 8 }, (_, index) => withEvent(storage, write(job, runningAt(index + 1)))),
      );
      const outcomes = await Promise.all(
        writes.map((change, index) => (index % 2 === 0 ? storage : peer).commit([change])),
      );
      const winners = writes.filter((_, index) => outcomes[index]?.[0]?.kind === "committed");
      assert.equal(winners.length, 1);
      assert.equal((await stored(storage, job.id)).progress, winners[0]?.next.progress);
      assert.deepEqual(
        (await waiting(storage)).map((row) => row.event.id),
        [winners[0]?.event?.id],
      );
    },
  },
  {
    name: "writers of the same jobs in opposite orders do not block each other, and events keep each job's order",
    body: async (subject) => {
      const { storage, peer } = subject;
      const ids = (await newJobs(subject, 8)).map((job) => job.id);
      const totals = await Promise.all([
        count(storage, ids, 15),
        count(peer, ids.toReversed(), 15),
        count(storage, ids.toReversed(), 15),
        count(peer, ids, 15),
      ]);
      const rows = await waiting(storage);
      assert.equal(
        rows.length,
        totals.reduce((sum, total) => sum + total, 0),
      );
      for (const id of ids) {
        const payloads = rows.filter((row) => row.event.jobId === id).map((row) => row.event.payload);
        assert.deepEqual(
          payloads.map((payload) => [payload.previous_progress, payload.progress]),
          payloads.map((_, index) => [index, index + 1]),
        );
        assert.equal((await stored(storage, id)).progress, payloads.length);
      }
    },
  },
];

/** Raises every job by one, `rounds` times, as an engine would; answers how many writes were committed. */
async function count(storage: StorageAdapter, ids: readonly string[], rounds: number): Promise<number> {
  let committed = 0;
  for (let round = 0; round < rounds; round++) {
    const jobs = new Map((await storage.load(ids)).map((job) => [job.id, job]));
    const inOrder = ids.map((id) => jobs.get(id) as JobSnapshot);
    const writes = await Promise.all(inOrder.map((job) => withEvent(storage, write(job, runningAt(job.progress + 1)))));
    const outcomes: readonly CommitOutcome[] = await storage.commit(writes);
    committed += outcomes.filter((outcome) => outcome.kind === "committed").length;
  }
  return committed;
}
