import assert from "node:assert/strict";
import { registerCases } from "./register-cases.js";
import { storageCommitCases } from "./storage-commit-cases.js";
import { storageConcurrencyCases } from "./storage-concurrency-cases.js";
import { storageCreateCases, storageIdChoiceCases } from "./storage-create-cases.js";
import { newJob, runningAt, stored, write } from "./storage-fixtures.js";
import { storageLeaseCases } from "./storage-lease-cases.js";
import { storageLoadCases } from "./storage-load-cases.js";
import { storageOutboxCases } from "./storage-outbox-cases.js";
import { storagePatchCases } from "./storage-patch-cases.js";
import { storageSchemaCases } from "./storage-schema-cases.js";
import { storageSilenceCases } from "./storage-silence-cases.js";
import { storageTransactionCases } from "./storage-transaction-cases.js";
import type { RegisterTest, StorageCase, StorageSupports, StorageUnderTest } from "./storage-under-test.js";

/** What `storageConformance` needs. */
export interface StorageConformanceOptions {
  readonly test: RegisterTest;
  /** A fresh storage for each case: nothing of another case's in it. */
  readonly factory: () => Promise<StorageUnderTest>;
  readonly supports?: StorageSupports;
}

/**
 * Registers a test per promise of the storage ports. What an adapter does not support it gives a reason for, which the
 * name of a test shows.
 * @example
 * describe("my storage", () => storageConformance({ test, factory: async () => openEmptyStorage() }));
 */
export function storageConformance({ test, factory, supports = {} }: StorageConformanceOptions): void {
  const register = (cases: readonly StorageCase[]) => registerCases(test, factory, cases.map(prepared));
  const { outbox = true, transactions = true, choosesIds = true } = supports;
  register([...storageLoadCases, ...storageCreateCases, ...storageCommitCases, ...storagePatchCases]);
  register([...storageSilenceCases, ...storageSchemaCases]);
  if (choosesIds === true) register(storageIdChoiceCases);
  if (outbox === true) register([...storageOutboxCases, ...storageLeaseCases, ...storageConcurrencyCases]);
  else register([hasNoOutbox(outbox)]);
  if (outbox === true && transactions === true) register(storageTransactionCases);
  if (transactions !== true) register([refusesTransactions(transactions)]);
}

/** The port is prepared before anything else is asked of it. */
function prepared({ name, body }: StorageCase): StorageCase {
  return {
    name,
    body: async (subject) => {
      await subject.storage.prepare();
      await body(subject);
    },
  };
}

function hasNoOutbox(reason: string): StorageCase {
  return {
    name: `has no outbox: ${reason}`,
    body: async ({ storage }) => assert.equal(storage.outbox, null),
  };
}

function refusesTransactions(reason: string): StorageCase {
  return {
    name: `refuses a caller's transaction: ${reason}`,
    body: async (subject) => {
      const job = await newJob(subject);
      await assert.rejects(subject.storage.commit([write(job, runningAt(40))], { isTransaction: true }));
      assert.deepEqual(await stored(subject.storage, job.id), job);
    },
  };
}
