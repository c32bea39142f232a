import { describe, expect, test } from "vitest";
import type { JobEvent } from "../../src/domain/event.js";
import type { InMemoryStorage } from "../support/in-memory-storage.js";
import { RecordingPublisher } from "../support/recording-publisher.js";
import type { SimulatedClock } from "../support/simulated-clock.js";
import { engineOn, watch, withJobs } from "./engine-on.js";

const jobs = (count: number) => Array.from({ length: count }, (_, i) => `job ${i}`);

function slowDown(storage: InMemoryStorage, clock: SimulatedClock, ms: number): void {
  const commit = storage.commit.bind(storage);
  storage.commit = async (writes, transaction) => {
    await new Promise((resolve) => clock.schedule(ms, () => resolve(null), true));
    return commit(writes, transaction);
  };
}

describe("a storage that needs 50 s to write what is due", () => {
  /** 10,000 jobs in 50 statements, two at a time, of two seconds each. */
  function overloaded() {
    const parts = engineOn();
    const ids = jobs(10_000);
    withJobs(parts.storage, ...ids, "urgent");
    slowDown(parts.storage, parts.clock, 2_000);
    return { ...parts, ids };
  }

  test("lets a change wait for a statement under way and its own, not for the progress before it", async () => {
    const { reporter, storage, clock, ids } = overloaded();
    for (const id of ids) void reporter.progress(id, 1);
    await clock.advance(5_000);
    const started = watch(reporter.startJob("urgent"));
    await clock.advance(4_000);
    expect(started.value).toMatchObject({ attempt: 1 });
    expect(storage.journal.length).toBeLessThan(2_500);
  });

  test("answers a report that waits for its write 0.1 s after storageTimeoutMs, and writes it in its turn", async () => {
    const { reporter, storage, clock, ids } = overloaded();
    const answers = ids.map((id) => watch(reporter.progress(id, 1)));
    await clock.advance(5_000);
    expect(answers.filter(({ value }) => value?.outcome === "written").length).toBe(800);
    expect(answers.filter(({ value }) => value === undefined).length).toBe(9_200);
    await clock.advance(100);
    expect(answers.filter(({ value }) => value?.outcome === "coalesced").length).toBe(9_200);
    await clock.advance(60_000);
    expect(new Set(ids.map((id) => storage.job(id).progress))).toEqual(new Set([1]));
  });

  test("keeps one value of a job, however often it is forced", async () => {
    const { reporter, storage, clock } = overloaded();
    const forced = Array.from({ length: 1_000 }, (_, i) => reporter.forceProgress("job 0", i / 20));
    expect(new Set(forced).size).toBe(1);
    await clock.advance(10_000);
    expect(storage.writesOf("job 0").map(({ write }) => write.next.progress)).toEqual([49]);
    expect(await forced[0]).toMatchObject({ outcome: "written", percent: 49 });
  });
});

describe("a publisher that needs longer for a batch than the lease lasts", () => {
  test("is given each event once, in order, by one relay at a time", async () => {
    const arrivals: JobEvent[] = [];
    const options = { relay: { leaseMs: 1_000, batchSize: 5, pollMs: 100 } };
    const first = engineOn({ publisher: slowPublisher(arrivals), options });
    const { clock, storage } = first;
    const second = engineOn({ clock, storage, publisher: slowPublisher(arrivals), options });
    withJobs(storage, ...jobs(20));
    for (const id of jobs(20)) await first.reporter.startJob(id);
    for (const id of jobs(20)) await second.reporter.completeJob(id);
    await clock.advance(120_000);
    expect(arrivals).toEqual(storage.outbox.history);

    function slowPublisher(shared: JobEvent[]): RecordingPublisher {
      const publisher = new RecordingPublisher(shared);
      const publish = publisher.publish.bind(publisher);
      publisher.publish = async (events) => {
        await new Promise((resolve) => first.clock.schedule(3_000, () => resolve(null), true));
        return publish(events);
      };
      return publisher;
    }
  });
});
