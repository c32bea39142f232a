import { describe, expect, test } from "vitest";
import type { JobEvent } from "../../src/domain/event.js";
import { DirectDelivery } from "../../src/engine/direct-delivery.js";
import { Publishing } from "../../src/engine/publishing.js";
import type { DedupeAdapter } from "../../src/ports/dedupe.js";
import { RecordingPublisher } from "../support/recording-publisher.js";
import { SimulatedClock } from "../support/simulated-clock.js";
import { engineOn, RecordingLog, watch, withJobs } from "./engine-on.js";

/** Marks in memory, which can be out of reach. */
class RecordingDedupe implements DedupeAdapter {
  readonly marked = new Set<string>();
  away = false;

  async mark(ids: readonly string[]): Promise<readonly boolean[]> {
    this.#reached();
    return ids.map((id) => !this.marked.has(id) && this.marked.add(id) !== undefined);
  }

  async unmark(ids: readonly string[]): Promise<void> {
    this.#reached();
    for (const id of ids) this.marked.delete(id);
  }

  async close(): Promise<void> {}

  #reached(): void {
    if (this.away) throw new Error("the marks are out of reach");
  }
}

function directly(options: { readonly maxWaiting?: number } = {}) {
  const clock = new SimulatedClock();
  const publisher = new RecordingPublisher();
  const dedupe = new RecordingDedupe();
  const log = new RecordingLog();
  const delivery = new DirectDelivery({
    publishing: new Publishing(publisher, "drop", log),
    dedupe,
    clock,
    log,
    random: () => 0.5,
    batchSize: 2,
    maxWaiting: options.maxWaiting ?? 1_000,
    rememberMs: 60_000,
    backoff: { firstMs: 100, maxMs: 2_000 },
  });
  const commit = (...ids: readonly string[]) => delivery.committed(ids.map(eventOf));
  return { clock, publisher, dedupe, log, delivery, commit };
}

const eventOf = (id: string) => ({ id, jobId: id.slice(0, 1), payload: {} }) as JobEvent;
const idsOf = (events: readonly JobEvent[]) => events.map((event) => event.id);

describe("direct delivery", () => {
  test("publishes events in order and marks them", async () => {
    const { clock, publisher, dedupe, commit } = directly();
    commit("a1", "b1", "a2");
    commit("a3");
    await clock.advance(0);
    expect(idsOf(publisher.arrivals)).toEqual(["a1", "b1", "a2", "a3"]);
    expect([...dedupe.marked]).toEqual(["a1", "b1", "a2", "a3"]);
  });

  test("does not publish what is marked already", async () => {
    const { clock, publisher, commit } = directly();
    commit("a1");
    await clock.advance(0);
    commit("a1", "a2");
    await clock.advance(0);
    expect(idsOf(publisher.arrivals)).toEqual(["a1", "a2"]);
  });

  test("takes the marks back when publishing fails, and publishes again in order", async () => {
    const { clock, publisher, dedupe, commit } = directly();
    publisher.away = true;
    commit("a1", "a2", "a3");
    await clock.advance(1_000);
    expect([...dedupe.marked]).toEqual([]);
    publisher.away = false;
    await clock.advance(5_000);
    expect(idsOf(publisher.arrivals)).toEqual(["a1", "a2", "a3"]);
  });

  test("loses nothing when the marks cannot be taken back", async () => {
    const { clock, publisher, dedupe, commit } = directly();
    publisher.gate.close();
    publisher.next("before");
    commit("a1");
    await clock.advance(0);
    dedupe.away = true;
    publisher.gate.open();
    await clock.advance(1_000);
    dedupe.away = false;
    await clock.advance(5_000);
    expect(idsOf(publisher.arrivals)).toEqual(["a1"]);
  });

  test("lets the oldest go beyond its limit, and says so once", async () => {
    const { clock, publisher, log, commit } = directly({ maxWaiting: 3 });
    publisher.away = true;
    commit("a1", "a2", "a3", "a4");
    commit("a5");
    await clock.advance(100);
    publisher.away = false;
    await clock.advance(5_000);
    expect(idsOf(publisher.arrivals)).toEqual(["a3", "a4", "a5"]);
    expect(log.warnings.filter((warning) => warning.includes("oldest")).length).toBe(1);
  });

  test("holds the process while events wait", async () => {
    const { clock, publisher, commit } = directly();
    publisher.away = true;
    commit("a1");
    await clock.advance(10_000);
    expect(clock.holdsProcess()).toBe(true);
    publisher.away = false;
    await clock.advance(5_000);
    expect(clock.holdsProcess()).toBe(false);
  });

  test("draining answers whether all is out by the deadline, and stopping ends it", async () => {
    const { clock, publisher, delivery, commit } = directly();
    publisher.away = true;
    commit("a1");
    const drained = watch(delivery.drain(1_000));
    await clock.advance(1_000);
    expect(drained.value).toBe(false);
    const stopped = watch(delivery.stop().then(() => "stopped"));
    await clock.advance(2_000);
    expect(stopped.value).toBe("stopped");
    expect(clock.pendingTimers()).toEqual([]);
  });
});

describe("an engine that delivers directly", () => {
  test("publishes one event per change and stores none", async () => {
    const { reporter, storage, publisher, clock } = engineOn({ dedupe: new RecordingDedupe() });
    withJobs(storage, "a");
    await reporter.startJob("a");
    await reporter.completeJob("a");
    await clock.advance(0);
    expect(publisher.arrivals.map(({ payload }) => payload.status)).toEqual(["running", "completed"]);
    expect(storage.outbox.history).toEqual([]);
  });

  test("publishes the event of a change whose answer was lost", async () => {
    const { reporter, storage, publisher, clock } = engineOn({ dedupe: new RecordingDedupe() });
    storage.put("a", { status: "running", attempt: 1 });
    storage.failCommits(1, "after");
    const completed = watch(reporter.completeJob("a").then(() => "stored"));
    await clock.advance(1_000);
    expect(completed.value).toBe("stored");
    expect(publisher.arrivals.map(({ payload }) => payload.status)).toEqual(["completed"]);
  });

  test("refuses a caller's transaction", async () => {
    const { reporter, storage } = engineOn({ dedupe: new RecordingDedupe() });
    storage.put("a", { status: "running", attempt: 1 });
    const completing = storage.inTransaction((trx) => reporter.completeJob("a", undefined, undefined, { trx }));
    await expect(completing).rejects.toMatchObject({ code: "INVALID_ARGUMENT", jobId: "a" });
    expect(storage.job("a").status).toBe("running");
  });
});
