import assert from "node:assert/strict";
import type { LiveAdapter } from "../ports/live.js";
import type { LiveUnderTest } from "./live-conformance.js";
import { cancellationOf, type NewsOf, progressOf, recorder, settle, storedOf } from "./live-fixtures.js";

/** What a case finds, as the adapter declares it. */
interface LiveStage extends LiveUnderTest {
  readonly reach: LiveAdapter["reach"];
  /** News that travel. */
  readonly newsOf: NewsOf;
  /** The adapter that knows the latest of what `live` publishes. */
  readonly knows: LiveAdapter;
}

interface LiveCase {
  readonly name: string;
  readonly body: (stage: LiveStage) => Promise<void>;
}

const oddIds = ["42", "a:b", "{job}", "{}", "a{b}c", " ", "ключ", "__proto__", "*", "a?[b]", "try", "x".repeat(255)];

/** What all live updates promise. */
export const liveCases: readonly LiveCase[] = [
  {
    name: "with a subscription that stands, the reach is as declared",
    body: async ({ live, reach }) => {
      await live.subscribe("job", recorder());
      assert.equal(live.reach, reach);
    },
  },
  {
    name: "a job's messages arrive whole and in the order of publishing, of one call and of several",
    body: async ({ live, peer, newsOf }) => {
      const listener = recorder();
      await peer.subscribe("job", listener);
      const all = Array.from({ length: 100 }, (_, index) => (index % 3 === 0 ? storedOf : newsOf)("job", index));
      await live.publish(all.slice(0, 50));
      await Promise.all(all.slice(50).map((message) => live.publish([message])));
      await listener.hears(all.length);
      assert.deepEqual(listener.heard, all);
    },
  },
  {
    name: "a subscriber hears only its own job, whatever the id is made of",
    body: async ({ live, peer, newsOf }) => {
      const listeners = oddIds.map(recorder);
      await Promise.all(listeners.map((listener, index) => peer.subscribe(oddIds[index] as string, listener)));
      await live.publish(oddIds.map((id, index) => newsOf(id, index)));
      await settle(live, peer, newsOf);
      for (const [index, id] of oddIds.entries()) {
        await listeners[index]?.hears(1);
        assert.deepEqual(listeners[index]?.heard, [newsOf(id, index)]);
      }
    },
  },
  {
    name: "cancellations are heard by all who listen to them, and by nobody else",
    body: async ({ live, peer, newsOf }) => {
      const [here, there, ofJob] = [recorder(), recorder(), recorder()];
      await live.subscribeCancellations(here);
      await peer.subscribeCancellations(there);
      await peer.subscribe("job", ofJob);
      const [one, other] = [cancellationOf("job", 'Nie "teraz" 🚀\n'), cancellationOf("other")];
      await live.publish([one, newsOf("job", 5), other]);
      for (const listener of [here, there]) {
        await listener.hears(2);
        assert.deepEqual(listener.heard, [one, other]);
      }
      await ofJob.hears(1);
      assert.deepEqual(ofJob.heard, [newsOf("job", 5)]);
    },
  },
  {
    name: "the latest of each job is answered in the order asked for, null where there is none",
    body: async ({ live, knows, newsOf }) => {
      await live.publish([newsOf("a", 1), storedOf("b", 2), newsOf("a", 3), cancellationOf("c")]);
      assert.deepEqual(await knows.latest(["c", "b", "unknown", "a", "b"]), [
        null,
        storedOf("b", 2),
        null,
        newsOf("a", 3),
        storedOf("b", 2),
      ]);
      assert.deepEqual(await knows.latest([]), []);
    },
  },
  {
    name: "the latest stays what it is when news are told that are behind it, and is what another attempt tells",
    body: async ({ live, knows, newsOf }) => {
      const newest = { ...newsOf("job", 3), attempt: 5, step: "newest" };
      await live.publish([{ ...newsOf("job", 50), attempt: 4 }, { ...newest, progress: 1 }, newest]);
      await live.publish([
        { ...newest, progress: 2.5 },
        { ...newest, attempt: 4, progress: 100 },
      ]);
      assert.deepEqual(await knows.latest(["job"]), [newest]);
      await live.publish([{ ...newest, step: "as far" }]);
      assert.deepEqual(await knows.latest(["job"]), [{ ...newest, step: "as far" }]);
    },
  },
  {
    name: "thousands of messages and jobs are taken in one call",
    body: async ({ live, knows, newsOf }) => {
      const ids = Array.from({ length: 2_500 }, (_, index) => `job ${index}`);
      await live.publish(ids.map((id) => newsOf(id, 7)));
      assert.deepEqual(
        await knows.latest(ids),
        ids.map((id) => newsOf(id, 7)),
      );
    },
  },
  {
    name: "unsubscribing stops one listener, twice is once, and others go on",
    body: async ({ live, peer, newsOf }) => {
      const [leaves, stays] = [recorder(), recorder()];
      const unsubscribe = await peer.subscribe("job", leaves);
      await peer.subscribe("job", stays);
      await live.publish([newsOf("job", 1)]);
      await Promise.all([leaves.hears(1), stays.hears(1)]);
      unsubscribe();
      unsubscribe();
      await live.publish([newsOf("job", 2)]);
      await stays.hears(2);
      assert.equal(leaves.heard.length, 1);
    },
  },
  {
    name: "a job can be subscribed to again right after its last subscriber left",
    body: async ({ live, peer, newsOf }) => {
      const [before, after] = [recorder(), recorder()];
      const unsubscribe = await peer.subscribe("job", before);
      unsubscribe();
      await peer.subscribe("job", after);
      await live.publish([newsOf("job", 1)]);
      await after.hears(1);
      await settle(live, peer, newsOf);
      assert.deepEqual(before.heard, []);
      assert.equal(after.heard.length, 1);
    },
  },
  {
    name: "many listeners of a job hear the same, one that subscribed twice hears it twice",
    body: async ({ live, peer, newsOf }) => {
      const listeners = Array.from({ length: 100 }, recorder);
      const [first] = listeners as [ReturnType<typeof recorder>];
      await Promise.all([...listeners, first].map((listener) => peer.subscribe("job", listener)));
      await live.publish([newsOf("job", 1)]);
      await Promise.all(listeners.map((listener) => listener.hears(listener === first ? 2 : 1)));
      assert.equal(first.heard.length, 2);
    },
  },
  {
    name: "a listener that throws harms neither the others nor the publisher",
    body: async ({ live, peer, newsOf }) => {
      const [before, after] = [recorder(), recorder()];
      const broken = () => {
        throw new Error("broken listener");
      };
      await peer.subscribe("job", before);
      await peer.subscribe("job", { onMessage: broken, onGap: broken });
      await peer.subscribe("job", after);
      await live.publish([newsOf("job", 1), newsOf("job", 2)]);
      await Promise.all([before.hears(2), after.hears(2)]);
    },
  },
  {
    name: "closing is idempotent, and what is called afterwards does nothing",
    body: async ({ live, newsOf }) => {
      const listener = recorder();
      await live.subscribe("job", listener);
      await live.publish([newsOf("job", 1)]);
      await listener.hears(1);
      await Promise.all([live.close(), live.close()]);
      await live.close();
      await live.publish([newsOf("job", 2)]);
      (await live.subscribe("job", listener))();
      (await live.subscribeCancellations(listener))();
      assert.deepEqual(await live.latest(["job"]), [null]);
      assert.equal(listener.heard.length, 1);
    },
  },
];

/** What live updates that reach other processes promise. */
export const sharedLiveCases: readonly LiveCase[] = [
  {
    name: "both ways and to oneself, what one adapter publishes is heard",
    body: async ({ live, peer, newsOf }) => {
      const [here, there] = [recorder(), recorder()];
      await live.subscribe("job", here);
      await peer.subscribe("job", there);
      await live.publish([newsOf("job", 1)]);
      await Promise.all([here.hears(1), there.hears(1)]);
      await peer.publish([newsOf("job", 2)]);
      await Promise.all([here.hears(2), there.hears(2)]);
      assert.deepEqual(here.heard, there.heard);
    },
  },
  {
    name: "closing one adapter leaves the other as it is",
    body: async ({ live, peer, newsOf }) => {
      const listener = recorder();
      await peer.subscribe("job", listener);
      await live.publish([newsOf("job", 1)]);
      await listener.hears(1);
      await live.close();
      await peer.publish([newsOf("job", 2)]);
      await listener.hears(2);
      assert.deepEqual(await peer.latest(["job"]), [newsOf("job", 2)]);
    },
  },
];

/** What holds where progress that is not stored stays with the adapter that it was published by. */
export const unwrittenStays: LiveCase["body"] = async ({ live, peer }) => {
  const [here, there] = [recorder(), recorder()];
  await live.subscribe("job", here);
  await peer.subscribe("job", there);
  await live.publish([progressOf("job", 1), storedOf("job", 2)]);
  await Promise.all([here.hears(2), there.hears(1)]);
  assert.deepEqual(there.heard, [storedOf("job", 2)]);
};

/** What holds where the latest is known to the adapter that it was published by, and to who subscribes to the job. */
export const latestStays: LiveCase["body"] = async ({ live, peer, newsOf }) => {
  const listener = recorder();
  await peer.subscribe("job", listener);
  await live.publish([newsOf("other", 1), newsOf("job", 2)]);
  await listener.hears(1);
  assert.deepEqual(await live.latest(["other", "job"]), [newsOf("other", 1), newsOf("job", 2)]);
  assert.deepEqual(await peer.latest(["other", "job"]), [null, newsOf("job", 2)]);
};
