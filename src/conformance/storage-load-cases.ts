import assert from "node:assert/strict";
import { createdAt, newJob, newJobs, unknownIds } from "./storage-fixtures.js";
import type { StorageCase } from "./storage-under-test.js";

/** What `load` and `prepare` promise. */
export const storageLoadCases: readonly StorageCase[] = [
  {
    name: "prepare answers the same traits each time, and concurrent calls agree",
    body: async ({ storage }) => {
      const [first, second] = await Promise.all([storage.prepare(), storage.prepare()]);
      assert.deepEqual(first, second);
      assert.deepEqual(await storage.prepare(), first);
      assert.ok(first.statuses.has("running"));
    },
  },
  {
    name: "an unknown id is absent from what is loaded",
    body: async ({ storage }) => {
      const { idType } = await storage.prepare();
      assert.deepEqual(await storage.load([unknownIds[idType]]), []);
      assert.deepEqual(await storage.load([]), []);
    },
  },
  {
    name: "a created job is loaded with nothing but what it was created with",
    body: async (subject) => {
      const { id, ...job } = await newJob(subject);
      assert.deepEqual(job, {
        type: "model",
        status: "pending",
        progress: 0,
        attempt: 0,
        step: null,
        message: null,
        metrics: null,
        output: null,
        errorCode: null,
        errorMessage: null,
        cancelRequested: false,
        rate: null,
        artefacts: [],
        queuePosition: null,
        progressAt: null,
        startedAt: null,
        finishedAt: null,
        updatedAt: createdAt,
      });
    },
  },
  {
    name: "several jobs are loaded at once, the unknown left out",
    body: async (subject) => {
      const jobs = await newJobs(subject, 3);
      const { idType } = await subject.storage.prepare();
      const loaded = await subject.storage.load([...jobs.map((job) => job.id), unknownIds[idType]]);
      assert.deepEqual(new Set(loaded.map((job) => job.id)), new Set(jobs.map((job) => job.id)));
      assert.equal(loaded.length, 3);
    },
  },
];
