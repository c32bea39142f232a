import assert from "node:assert/strict";
import { WorkerProgressError } from "../domain/errors.js";
import { createdAt, newJob, runningAt, stored, unknownIds, versionOf, write } from "./storage-fixtures.js";
import type { StorageCase } from "./storage-under-test.js";

/** What `create` promises. */
export const storageCreateCases: readonly StorageCase[] = [
  {
    name: "a job is created under the id it is given",
    body: async ({ storage }) => {
      const id = unknownIds[(await storage.prepare()).idType];
      assert.equal(await storage.create({ id, type: null, status: "queued", at: createdAt }), id);
      const job = await stored(storage, id);
      assert.deepEqual([job.status, job.type], ["queued", null]);
    },
  },
  {
    name: "an id that is taken is refused and its job left as it is",
    body: async (subject) => {
      const { storage } = subject;
      const job = await newJob(subject);
      await storage.commit([write(job, runningAt(40))]);
      await assert.rejects(storage.create({ id: job.id, type: null, status: "pending", at: createdAt }), {
        name: WorkerProgressError.name,
        code: "STORAGE_REJECTED",
      });
      assert.deepEqual(versionOf(await stored(storage, job.id)), runningAt(40));
    },
  },
];

/** What `create` promises where the store chooses ids. */
export const storageIdChoiceCases: readonly StorageCase[] = [
  {
    name: "the store chooses a new id for each job that is given none",
    body: async ({ storage }) => {
      const job = { id: null, type: null, status: "pending", at: createdAt } as const;
      const ids = await Promise.all([storage.create(job), storage.create(job), storage.create(job)]);
      assert.equal(new Set(ids).size, 3);
      assert.equal((await storage.load(ids)).length, 3);
    },
  },
];
