import assert from "node:assert/strict";
import type { DedupeUnderTest } from "./dedupe-conformance.js";
import { untilTrue } from "./until-true.js";

interface DedupeCase {
  readonly name: string;
  readonly body: (subject: DedupeUnderTest) => Promise<void>;
}

const longMs = 60_000;
const shortMs = 60;
const roundingMs = 2;

/** What every memory of sent events promises. */
export const dedupeCases: readonly DedupeCase[] = [
  {
    name: "an id is new once",
    body: async ({ dedupe }) => {
      assert.deepEqual(await dedupe.mark(["one"], longMs), [true]);
      assert.deepEqual(await dedupe.mark(["one"], longMs), [false]);
    },
  },
  {
    name: "answers come in the order of the ids",
    body: async ({ dedupe }) => {
      await dedupe.mark(["b", "d"], longMs);
      assert.deepEqual(await dedupe.mark(["d", "a", "b", "c"], longMs), [false, true, false, true]);
    },
  },
  {
    name: "an id that is given twice in a call is new once",
    body: async ({ dedupe }) => {
      assert.deepEqual(await dedupe.mark(["one", "two", "one"], longMs), [true, true, false]);
    },
  },
  {
    name: "a mark that is taken back makes its id new again, and no other",
    body: async ({ dedupe }) => {
      await dedupe.mark(["sent", "failed"], longMs);
      await dedupe.unmark(["failed", "never marked"]);
      assert.deepEqual(await dedupe.mark(["sent", "failed"], longMs), [false, true]);
    },
  },
  {
    name: "a mark is forgotten when its time has passed, not before",
    body: async ({ dedupe }) => {
      const start = performance.now();
      await dedupe.mark(["one"], shortMs);
      await untilTrue(async () => (await dedupe.mark(["one"], shortMs))[0] === true);
      assert.ok(performance.now() - start >= shortMs - roundingMs);
    },
  },
  {
    name: "thousands of ids are marked and taken back in one call",
    body: async ({ dedupe }) => {
      const ids = Array.from({ length: 2_500 }, (_, index) => `event ${index}`);
      assert.ok((await dedupe.mark(ids, longMs)).every((isNew) => isNew));
      assert.ok((await dedupe.mark(ids, longMs)).every((isNew) => !isNew));
      await dedupe.unmark(ids);
      assert.ok((await dedupe.mark(ids, longMs)).every((isNew) => isNew));
    },
  },
  {
    name: "no ids are answered with nothing",
    body: async ({ dedupe }) => {
      assert.deepEqual(await dedupe.mark([], longMs), []);
      await dedupe.unmark([]);
    },
  },
  {
    name: "of many that mark an id at once exactly one finds it new",
    body: async ({ dedupe, peer }) => {
      const askers = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? dedupe : peer));
      const answers = await Promise.all(askers.map((asker) => asker.mark(["one"], longMs)));
      assert.equal(answers.filter(([isNew]) => isNew).length, 1);
    },
  },
  {
    name: "closing is idempotent",
    body: async ({ dedupe }) => {
      await dedupe.mark(["one"], longMs);
      await Promise.all([dedupe.close(), dedupe.close()]);
      await dedupe.close();
    },
  },
];

/** What memories of sent events that share marks promise. */
export const sharedDedupeCases: readonly DedupeCase[] = [
  {
    name: "what one adapter marked is not new to the other, until it is taken back",
    body: async ({ dedupe, peer }) => {
      await dedupe.mark(["mine", "both"], longMs);
      assert.deepEqual(await peer.mark(["theirs", "both"], longMs), [true, false]);
      await dedupe.unmark(["both"]);
      assert.deepEqual(await peer.mark(["both"], longMs), [true]);
    },
  },
];
