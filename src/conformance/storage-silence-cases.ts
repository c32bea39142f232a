import assert from "node:assert/strict";
import { createdAt, newJob, newJobs, runningAt, stored, write } from "./storage-fixtures.js";
import type { StorageCase, StorageUnderTest } from "./storage-under-test.js";

/** What `findSilent` and `silentSince` promise. */
export const storageSilenceCases: readonly StorageCase[] = [
  {
    name: "running jobs that nothing was heard of since are found, longest silent first and up to a limit",
    body: async (subject) => {
      const { storage } = subject;
      const jobs = await newJobs(subject, 5);
      const times = [30, 10, 20, 40];
      await storage.commit(
        times.map((ms, index) => write(jobs[index] as (typeof jobs)[0], runningAt(1), { updatedAt: createdAt + ms })),
      );
      const found = async (since: number, limit: number) =>
        (await storage.findSilent(createdAt + since, limit)).map((job) => jobs.findIndex(({ id }) => id === job.id));
      assert.deepEqual(await found(30, 10), [1, 2, 0]);
      assert.deepEqual(await found(30, 2), [1, 2]);
      assert.deepEqual(await found(9, 10), []);
    },
  },
  {
    name: "a job that is not running is not silent",
    body: async (subject) => {
      await newJob(subject);
      assert.deepEqual(await subject.storage.findSilent(createdAt + 1, 10), []);
    },
  },
  {
    name: "a write for a silent job is committed while nothing is heard of it, else it is a conflict",
    body: async (subject) => {
      const id = await heardAt(subject, createdAt + 500);
      const { storage } = subject;
      const before = await stored(storage, id);
      const early = { ...write(before, { ...runningAt(1), status: "failed" }), silentSince: createdAt + 499 };
      assert.deepEqual(await storage.commit([early]), [{ kind: "conflict" }]);
      assert.deepEqual(await stored(storage, id), before);
      const late = { ...early, silentSince: createdAt + 500 };
      assert.deepEqual(await storage.commit([late]), [{ kind: "committed", cancelRequested: false }]);
    },
  },
];

async function heardAt(subject: StorageUnderTest, updatedAt: number): Promise<string> {
  const job = await newJob(subject);
  await subject.storage.commit([write(job, runningAt(1), { updatedAt })]);
  return job.id;
}
