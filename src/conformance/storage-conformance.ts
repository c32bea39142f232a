import assert from "node:assert/strict";
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
  const register = (cases: readonly StorageCase[]) => {
    for (const { name, body } of cases) test(name, () => withSubject(factory, body));
  };
  const { outbox = true, transactions = true, choosesIds = true } = supports;
  register([...storageLoadCases, ...storageCreateCases, ...storageCommitCases, ...storagePatchCases]);
  register([...storageSilenceCases, ...storageSchemaCases]);
  if (choosesIds === true) register(storageIdChoiceCases);
  if (outbox === true) register([...storageOutboxCases, ...storageLeaseCases, ...storageConcurrencyCases]);
  else register([hasNoOutbox(outbox)]);
  if (outbox === true && transactions === true) register(storageTransactionCases);
  if (transactions !== true) register([refusesTransactions(transactions)]);
}

async function withSubject(
  factory: StorageConformanceOptions["factory"],
  body: (subject: StorageUnderTest) => Promise<void>,
): Promise<void> {
  const subject = await factory();
  try {
    await subject.storage.prepare();
    await body(subject);
  } finally {
    await subject.dispose();
  }
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
