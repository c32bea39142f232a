import assert from "node:assert/strict";
import { newJob, stored } from "./storage-fixtures.js";
import type { StorageCase } from "./storage-under-test.js";

/** What the schema and `close` promise. */
export const storageSchemaCases: readonly StorageCase[] = [
  {
    name: "migrating again, and several at once, keeps what is stored",
    body: async (subject) => {
      const { storage, peer } = subject;
      const job = await newJob(subject);
      await storage.schema.migrate();
      await Promise.all([storage.schema.migrate(), peer.schema.migrate(), storage.schema.migrate()]);
      assert.deepEqual(await stored(peer, job.id), job);
    },
  },
  {
    name: "the schema can be told as text",
    body: async ({ storage }) => assert.equal(typeof storage.schema.sql(), "string"),
  },
  {
    name: "closing twice is no error",
    body: async ({ storage }) => {
      await storage.close();
      await storage.close();
    },
  },
];
