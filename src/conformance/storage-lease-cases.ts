import assert from "node:assert/strict";
import type { Claim } from "../ports/outbox.js";
import type { StorageAdapter } from "../ports/storage.js";
import { newJob, outboxOf, runningAt, withEvent, write } from "./storage-fixtures.js";
import type { StorageCase } from "./storage-under-test.js";

const longMs = 60_000;
const takeoverLimitMs = 10_000;

/** What the outbox promises of its lease. */
export const storageLeaseCases: readonly StorageCase[] = [
  {
    name: "one relay at a time holds the lease and reads events",
    body: async (subject) => {
      const { storage, peer } = subject;
      await storage.commit([await withEvent(storage, write(await newJob(subject), runningAt(1)))]);
      const mine = await claim(storage, "mine", longMs);
      assert.ok(mine.held && mine.rows.length === 1);
      assert.deepEqual(await claim(peer, "theirs", longMs), { held: false });
      assert.ok((await claim(storage, "mine", longMs)).held, "the holder can renew");
    },
  },
  {
    name: "of relays that ask at once exactly one gets the lease",
    body: async ({ storage, peer }) => {
      const claims = await Promise.all(
        Array.from({ length: 8 }, (_, index) => claim(index % 2 === 0 ? storage : peer, `relay ${index}`, longMs)),
      );
      assert.equal(claims.filter((answer) => answer.held).length, 1);
    },
  },
  {
    name: "a released lease is free at once, and only its holder can release it",
    body: async ({ storage, peer }) => {
      await claim(storage, "mine", longMs);
      await outboxOf(peer).release("theirs");
      assert.deepEqual(await claim(peer, "theirs", longMs), { held: false });
      await outboxOf(storage).release("mine");
      assert.ok((await claim(peer, "theirs", longMs)).held);
    },
  },
  {
    name: "a lease that has run out is taken over, and the earlier holder has lost it",
    body: async (subject) => {
      const { storage, peer } = subject;
      await storage.commit([await withEvent(storage, write(await newJob(subject), runningAt(1)))]);
      await claim(storage, "mine", 1);
      const theirs = await takenOver(peer, "theirs");
      assert.equal(theirs.rows.length, 1);
      assert.deepEqual(await claim(storage, "mine", longMs), { held: false });
    },
  },
];

function claim(storage: StorageAdapter, owner: string, leaseMs: number): Promise<Claim> {
  return outboxOf(storage).claim({ owner, leaseMs, after: null, limit: 10 });
}

async function takenOver(storage: StorageAdapter, owner: string): Promise<Claim & { held: true }> {
  const start = performance.now();
  while (performance.now() - start < takeoverLimitMs) {
    const answer = await claim(storage, owner, longMs);
    if (answer.held) return answer;
  }
  assert.fail(`a lease of 1 ms was still held after ${takeoverLimitMs} ms`);
}
