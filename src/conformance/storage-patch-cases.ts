import assert from "node:assert/strict";
import type { JobPatch } from "../domain/job-snapshot.js";
import { createdAt, newJob, newJobs, runningAt, stored, write } from "./storage-fixtures.js";
import type { StorageCase, StorageUnderTest } from "./storage-under-test.js";

const full: JobPatch = {
  step: "rendering",
  message: "Frame 50 of 100",
  metrics: { frames: 50, nested: { list: [1, "two", null, true] } },
  output: { files: ["result.stl"] },
  errorCode: "ERR_001",
  errorMessage: "Out of memory",
  cancelRequested: true,
  rate: 0.25,
  progressAt: createdAt + 1,
  startedAt: createdAt + 2,
  finishedAt: createdAt + 3,
  updatedAt: createdAt + 4,
};

const awkwardTexts = [
  "",
  "NULL",
  "null",
  " ",
  'say "hi"',
  "back\\slash\\",
  "{a,b}",
  "it's; --",
  "line\nbreak\ttab",
  "😀 ü",
];

/** What `commit` promises of the values it sets. */
export const storagePatchCases: readonly StorageCase[] = [
  {
    name: "every value that is set is loaded as it was given",
    body: async (subject) => {
      const job = await newJob(subject);
      assert.deepEqual(await after(subject, job.id, full), { ...job, ...runningAt(40), ...full });
    },
  },
  {
    name: "a key that is absent keeps what is stored",
    body: async (subject) => {
      const { id } = await newJob(subject);
      const before = await after(subject, id, full);
      assert.deepEqual(await after(subject, id, { updatedAt: createdAt + 9 }), { ...before, updatedAt: createdAt + 9 });
    },
  },
  {
    name: "a key that is null empties what is stored",
    body: async (subject) => {
      const { id } = await newJob(subject);
      const before = await after(subject, id, full);
      const empty = {
        step: null,
        message: null,
        output: null,
        errorCode: null,
        errorMessage: null,
        finishedAt: null,
        rate: null,
      };
      const emptied = await after(subject, id, { ...empty, cancelRequested: false, updatedAt: full.updatedAt });
      assert.deepEqual(emptied, { ...before, ...empty, cancelRequested: false });
    },
  },
  {
    name: "when a job started stays as it was first stored",
    body: async (subject) => {
      const { id } = await newJob(subject);
      await after(subject, id, { startedAt: createdAt + 2, updatedAt: createdAt + 2 });
      const again = await after(subject, id, { startedAt: createdAt + 5, updatedAt: createdAt + 5 });
      assert.deepEqual([again.startedAt, again.updatedAt], [createdAt + 2, createdAt + 5]);
    },
  },
  {
    name: "each write of a batch sets its own keys and keeps the others",
    body: async (subject) => {
      const { storage } = subject;
      const jobs = await newJobs(subject, 3);
      const before = await Promise.all(jobs.map((job) => after(subject, job.id, full)));
      const sets = [{ step: null }, { message: "other", finishedAt: null }, {}];
      const writes = before.map((job, index) =>
        write(job, runningAt(50), { updatedAt: job.updatedAt ?? 0, ...sets[index] }),
      );
      assert.ok((await storage.commit(writes)).every((outcome) => outcome.kind === "committed"));
      for (const [index, job] of before.entries()) {
        assert.deepEqual(await stored(storage, job.id), { ...job, ...runningAt(50), ...sets[index] });
      }
    },
  },
  {
    name: "metrics are merged key by key, without merging what a key holds",
    body: async (subject) => {
      const { id } = await newJob(subject);
      await after(subject, id, { metrics: { kept: 1, replaced: { a: 1 } }, updatedAt: createdAt });
      const { metrics } = await after(subject, id, {
        metrics: { replaced: { b: 2 }, added: null },
        updatedAt: createdAt,
      });
      assert.deepEqual(metrics, { kept: 1, replaced: { b: 2 }, added: null });
    },
  },
  {
    name: "an output replaces the one before, whatever JSON it is",
    body: async (subject) => {
      const { id } = await newJob(subject);
      for (const output of [{ a: 1 }, { b: 2 }, ["list"], "text", 0, false]) {
        assert.deepEqual((await after(subject, id, { output, updatedAt: createdAt })).output, output);
      }
    },
  },
  {
    name: "text that a query language would read otherwise is stored as it is",
    body: async (subject) => {
      const { id } = await newJob(subject);
      for (const text of awkwardTexts) {
        const set = { step: text, message: text, errorMessage: text, output: text, metrics: { [`k${text}`]: text } };
        const job = await after(subject, id, { ...set, updatedAt: createdAt });
        assert.deepEqual([job.step, job.message, job.errorMessage, job.output], [text, text, text, text]);
        assert.equal(job.metrics?.[`k${text}`], text);
      }
    },
  },
];

async function after({ storage }: StorageUnderTest, id: string, set: JobPatch) {
  const outcomes = await storage.commit([write(await stored(storage, id), runningAt(40), set)]);
  assert.equal(outcomes[0]?.kind, "committed");
  return stored(storage, id);
}
