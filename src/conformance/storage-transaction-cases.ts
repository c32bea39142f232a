import assert from "node:assert/strict";
import { newJob, runningAt, stored, versionOf, waiting, withEvent, write } from "./storage-fixtures.js";
import type { StorageCase } from "./storage-under-test.js";

/** What `load` and `commit` promise inside a transaction of the caller's. */
export const storageTransactionCases: readonly StorageCase[] = [
  {
    name: "a change and its event in the caller's transaction are stored when it commits",
    body: async (subject) => {
      const { storage } = subject;
      const change = await withEvent(storage, write(await newJob(subject), runningAt(40)));
      await subject.inTransaction(async (transaction) => {
        assert.deepEqual(await storage.commit([change], transaction), [{ kind: "committed", cancelRequested: false }]);
        const [seen] = await storage.load([change.id], transaction);
        assert.equal(seen?.progress, 40);
      });
      assert.deepEqual(versionOf(await stored(storage, change.id)), runningAt(40));
      assert.equal((await waiting(storage)).length, 1);
    },
  },
  {
    name: "a change and its event in the caller's transaction vanish when it rolls back",
    body: async (subject) => {
      const { storage } = subject;
      const job = await newJob(subject);
      const change = await withEvent(storage, write(job, runningAt(40)));
      const reason = new Error("rolled back");
      const rolledBack = subject.inTransaction(async (transaction) => {
        await storage.commit([change], transaction);
        throw reason;
      });
      await assert.rejects(rolledBack, reason);
      assert.deepEqual(await stored(storage, job.id), job);
      assert.deepEqual(await waiting(storage), []);
    },
  },
  {
    name: "a conflict in the caller's transaction leaves it usable",
    body: async (subject) => {
      const { storage } = subject;
      const job = await newJob(subject);
      await subject.inTransaction(async (transaction) => {
        const stale = { ...write(job, runningAt(40)), expected: runningAt(7) };
        assert.deepEqual(await storage.commit([stale], transaction), [{ kind: "conflict" }]);
        await storage.commit([write(job, runningAt(50))], transaction);
      });
      assert.equal((await stored(storage, job.id)).progress, 50);
    },
  },
  {
    name: "what is no transaction is refused and changes nothing",
    body: async (subject) => {
      const { storage } = subject;
      const job = await newJob(subject);
      await assert.rejects(storage.commit([write(job, runningAt(40))], { isTransaction: false }), TypeError);
      assert.deepEqual(await stored(storage, job.id), job);
    },
  },
];
