import assert from "node:assert/strict";
import type { JobVersion } from "../domain/job-snapshot.js";
import type { JobWrite } from "../ports/storage.js";
import { newJob, newJobs, runningAt, stored, unknownIds, versionOf, write } from "./storage-fixtures.js";
import type { StorageCase } from "./storage-under-test.js";

const committed = { kind: "committed", cancelRequested: false } as const;
const conflict = { kind: "conflict" } as const;

/** What `commit` promises of versions and outcomes. */
export const storageCommitCases: readonly StorageCase[] = [
  {
    name: "a write whose expected version holds is committed",
    body: async (subject) => {
      const { storage } = subject;
      const job = await newJob(subject);
      assert.deepEqual(await storage.commit([write(job, runningAt(40))]), [committed]);
      assert.deepEqual(versionOf(await stored(storage, job.id)), runningAt(40));
      assert.deepEqual(await storage.commit([write(await stored(storage, job.id), runningAt(100, 2))]), [committed]);
      assert.deepEqual(versionOf(await stored(storage, job.id)), runningAt(100, 2));
    },
  },
  conflictCase("status", { ...runningAt(40), status: "queued" }),
  conflictCase("progress", runningAt(39)),
  conflictCase("attempt", runningAt(40, 2)),
  {
    name: "a write to a job that is not there is a conflict",
    body: async (subject) => {
      const { storage } = subject;
      const gone = { ...(await newJob(subject)), id: unknownIds[(await storage.prepare()).idType] };
      assert.deepEqual(await storage.commit([write(gone, runningAt(40))]), [conflict]);
      assert.deepEqual(await storage.load([gone.id]), []);
    },
  },
  {
    name: "outcomes come in the order of the writes, whatever the order of the ids",
    body: async (subject) => {
      const { storage } = subject;
      const jobs = await newJobs(subject, 6);
      const writes = jobs.map((job, index) => {
        const change = write(job, runningAt(index));
        return index % 2 === 0 ? change : { ...change, expected: runningAt(99) };
      });
      const expected = writes.map((_, index) => (index % 2 === 0 ? committed : conflict));
      const shuffled = [3, 0, 5, 1, 4, 2];
      const outcomes = await storage.commit(shuffled.map((index) => writes[index] as JobWrite));
      assert.deepEqual(
        outcomes,
        shuffled.map((index) => expected[index]),
      );
    },
  },
  {
    name: "a commit of nothing answers nothing",
    body: async ({ storage }) => assert.deepEqual(await storage.commit([]), []),
  },
  {
    name: "a request to cancel is answered with each commit",
    body: async (subject) => {
      const { storage } = subject;
      const job = await newJob(subject);
      await storage.commit([write(job, runningAt(1), { cancelRequested: true })]);
      const outcomes = await storage.commit([write(await stored(storage, job.id), runningAt(2))]);
      assert.deepEqual(outcomes, [{ kind: "committed", cancelRequested: true }]);
    },
  },
  {
    name: "the same write again is a conflict and changes nothing",
    body: async (subject) => {
      const { storage } = subject;
      const change = write(await newJob(subject), runningAt(40), { step: "first" });
      await storage.commit([change]);
      assert.deepEqual(await storage.commit([{ ...change, set: { ...change.set, step: "again" } }]), [conflict]);
      assert.equal((await stored(storage, change.id)).step, "first");
    },
  },
];

function conflictCase(field: keyof JobVersion, expected: JobVersion): StorageCase {
  return {
    name: `a write that expects another ${field} is a conflict and changes nothing`,
    body: async (subject) => {
      const { storage } = subject;
      const { id } = await newJob(subject);
      await storage.commit([write(await stored(storage, id), runningAt(40), { step: "kept" })]);
      const before = await stored(storage, id);
      const stale = { ...write(before, runningAt(60), { step: "lost" }), expected };
      assert.deepEqual(await storage.commit([stale]), [conflict]);
      assert.deepEqual(await stored(storage, id), before);
    },
  };
}
