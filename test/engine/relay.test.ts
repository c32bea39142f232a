import { describe, expect, test } from "vitest";
import type { JobEvent } from "../../src/domain/event.js";
import { Publishing } from "../../src/engine/publishing.js";
import { Relay, type RelayOptions } from "../../src/engine/relay.js";
import { InMemoryStorage } from "../support/in-memory-storage.js";
import { RecordingPublisher } from "../support/recording-publisher.js";
import { SimulatedClock } from "../support/simulated-clock.js";
import { RecordingLog, watch } from "./engine-on.js";

/** A relay over an outbox that tests fill themselves. */
function relayOn(
  parts: {
    clock?: SimulatedClock;
    storage?: InMemoryStorage;
    publisher?: RecordingPublisher;
    unroutable?: "drop" | "keep";
  } = {},
  options: Partial<RelayOptions> = {},
) {
  const clock = parts.clock ?? new SimulatedClock();
  const storage = parts.storage ?? new InMemoryStorage(clock);
  const publisher = parts.publisher ?? new RecordingPublisher();
  const log = new RecordingLog();
  const relay = new Relay({
    outbox: storage.outbox,
    publishing: new Publishing(publisher, parts.unroutable ?? "drop", log),
    clock,
    log,
    random: () => 0.5,
    owner: "relay",
    leaseMs: 10_000,
    batchSize: 2,
    depth: 3,
    pollMs: 1_000,
    backoff: { firstMs: 100, maxMs: 2_000 },
    ...options,
  });
  const insert = (...ids: readonly string[]) => {
    for (const id of ids) storage.outbox.insert(eventOf(id))();
  };
  const commit = (...ids: readonly string[]) => {
    insert(...ids);
    relay.committed([]);
  };
  return { clock, storage, outbox: storage.outbox, publisher, log, relay, insert, commit };
}

const eventOf = (id: string) => ({ id, jobId: id.slice(0, 1), payload: {} }) as JobEvent;
const idsOf = (events: readonly JobEvent[]) => events.map((event) => event.id);
const many = (count: number) => Array.from({ length: count }, (_, i) => `a${String(i + 1).padStart(2, "0")}`);

describe("a relay", () => {
  test("publishes at once what its process commits, and gives the lease up", async () => {
    const { clock, outbox, publisher, commit } = relayOn();
    commit("a1", "b1", "a2");
    await clock.advance(0);
    expect(idsOf(publisher.arrivals)).toEqual(["a1", "b1", "a2"]);
    expect([outbox.waiting, outbox.holder, clock.monotonic()]).toEqual([[], null, 0]);
  });

  test("publishes what comes while it runs", async () => {
    const { clock, publisher, outbox, commit } = relayOn();
    publisher.gate.close();
    commit("a1");
    await clock.advance(0);
    commit("a2", "a3", "a4");
    publisher.gate.open();
    await clock.advance(0);
    expect(idsOf(publisher.arrivals)).toEqual(["a1", "a2", "a3", "a4"]);
    expect(outbox.waiting).toEqual([]);
  });

  test("has several batches under way and keeps their order", async () => {
    const { clock, publisher, commit } = relayOn();
    publisher.gate.close();
    commit(...many(20));
    await clock.advance(0);
    expect(publisher.gate.waiting).toBe(3);
    publisher.gate.open();
    await clock.advance(0);
    expect(idsOf(publisher.arrivals)).toEqual(many(20));
  });

  test("finds what other processes left behind when it looks", async () => {
    const { clock, publisher, relay, insert } = relayOn();
    relay.start();
    insert("a1", "a2");
    await clock.advance(999);
    expect(publisher.arrivals).toEqual([]);
    await clock.advance(1);
    expect(idsOf(publisher.arrivals)).toEqual(["a1", "a2"]);
    insert("a3");
    await clock.advance(1_000);
    expect(idsOf(publisher.arrivals)).toEqual(["a1", "a2", "a3"]);
  });

  test("does not hold the process while it only looks", async () => {
    const { clock, relay } = relayOn();
    relay.start();
    await clock.advance(5_000);
    expect(clock.holdsProcess()).toBe(false);
  });

  test("publishes what becomes visible late, in front of what it has read", async () => {
    const { clock, publisher, outbox, relay, commit } = relayOn();
    const show = outbox.insert(eventOf("a1"));
    publisher.gate.close();
    commit("b1", "b2");
    await clock.advance(0);
    show();
    relay.committed([]);
    publisher.gate.open();
    await clock.advance(0);
    expect(idsOf(publisher.arrivals).sort()).toEqual(["a1", "b1", "b2"]);
    expect(outbox.waiting).toEqual([]);
  });

  test("lets no later event of a job overtake one that became visible late", async () => {
    const { clock, publisher, outbox, insert, commit } = relayOn({}, { batchSize: 1, depth: 2 });
    const show = outbox.insert(eventOf("a1"));
    publisher.gate.close();
    commit("b1", "b2", "b3");
    await clock.advance(0);
    show();
    insert("a2");
    publisher.gate.open();
    await clock.advance(0);
    expect(idsOf(publisher.arrivals).filter((id) => id.startsWith("a"))).toEqual(["a1", "a2"]);
    expect(new Set(idsOf(publisher.arrivals)).size).toBe(publisher.arrivals.length);
    expect(outbox.waiting).toEqual([]);
  });

  test("looks again shortly after a change in a caller's transaction", async () => {
    const { clock, publisher, relay, insert } = relayOn();
    relay.expected();
    await clock.advance(40);
    insert("a1");
    await clock.advance(10);
    expect(idsOf(publisher.arrivals)).toEqual(["a1"]);
  });
});

describe("a publisher that fails", () => {
  test("gets the same events again, with the same ids, and nothing is lost", async () => {
    const { clock, publisher, outbox, commit } = relayOn();
    publisher.next("after", "before");
    commit("a1", "a2", "a3");
    await clock.advance(5_000);
    expect(idsOf(publisher.firstArrivals)).toEqual(["a1", "a2", "a3"]);
    expect(publisher.arrivals.length).toBeGreaterThan(3);
    expect(outbox.waiting).toEqual([]);
  });

  test("never gets a later event of a job before an earlier one", async () => {
    for (let failing = 0; failing < 6; failing++) {
      const { clock, publisher, commit } = relayOn({}, { batchSize: 1, depth: 4 });
      publisher.next(...Array.from({ length: failing }, () => null), "before");
      commit(...many(12));
      await clock.advance(5_000);
      expect(idsOf(publisher.firstArrivals)).toEqual(many(12));
    }
  });

  test("is told of once, when it goes and when it is back", async () => {
    const { clock, publisher, log, commit } = relayOn();
    publisher.away = true;
    commit("a1");
    await clock.advance(60_000);
    expect(log.warnings.length).toBe(1);
    publisher.away = false;
    await clock.advance(5_000);
    expect(log.warnings.length).toBe(2);
    expect(idsOf(publisher.arrivals)).toEqual(["a1"]);
  });

  test("is set up again after a loss", async () => {
    const { clock, publisher, commit } = relayOn();
    commit("a1");
    await clock.advance(0);
    publisher.next("before");
    commit("a2");
    await clock.advance(5_000);
    expect(publisher.setups).toBe(2);
  });

  test("is tried again ever more seldom, at least every two seconds", async () => {
    const { clock, publisher, commit } = relayOn();
    publisher.away = true;
    commit("a1");
    await clock.advance(60_000);
    expect(publisher.setups).toBeGreaterThanOrEqual(30);
    expect(publisher.setups).toBeLessThanOrEqual(50);
  });
});

describe("an outbox out of reach", () => {
  test("is told of once, tried again, and loses nothing", async () => {
    const { clock, storage, publisher, log, commit } = relayOn();
    storage.outage = "STORAGE_UNAVAILABLE";
    commit("a1");
    await clock.advance(60_000);
    expect(log.warnings.length).toBe(1);
    storage.outage = null;
    await clock.advance(5_000);
    expect(idsOf(publisher.arrivals)).toEqual(["a1"]);
  });

  test("for the acknowledgement only makes events arrive again", async () => {
    const { clock, outbox, publisher, commit } = relayOn();
    const acknowledge = outbox.acknowledge.bind(outbox);
    outbox.acknowledge = async () => {
      outbox.acknowledge = acknowledge;
      throw new Error("the connection was lost");
    };
    commit("a1", "a2");
    await clock.advance(5_000);
    expect(idsOf(publisher.arrivals)).toEqual(["a1", "a2", "a1", "a2"]);
    expect(outbox.waiting).toEqual([]);
  });
});

describe("several relays", () => {
  test("take turns: the one without the lease asks again until its events are out", async () => {
    const one = relayOn({}, { owner: "one" });
    const { clock, storage, publisher } = one;
    const two = relayOn({ clock, storage, publisher }, { owner: "two" });
    publisher.gate.close();
    one.commit("a1");
    await clock.advance(0);
    two.commit("a2");
    await clock.advance(500);
    expect(publisher.gate.waiting).toBe(1);
    publisher.gate.open();
    await clock.advance(500);
    expect(idsOf(publisher.arrivals)).toEqual(["a1", "a2"]);
    expect(storage.outbox.holder).toBeNull();
  });

  test("take over from one that died when its lease has run out", async () => {
    const { clock, outbox, publisher, commit } = relayOn({}, { owner: "two" });
    await outbox.claim({ owner: "dead", leaseMs: 10_000, after: null, limit: 10 });
    commit("a1");
    await clock.advance(9_900);
    expect(publisher.arrivals).toEqual([]);
    await clock.advance(500);
    expect(idsOf(publisher.arrivals)).toEqual(["a1"]);
  });

  test("do not wait out the lease of one that stopped", async () => {
    const one = relayOn({}, { owner: "one" });
    const { clock, storage, publisher } = one;
    publisher.away = true;
    one.commit("a1");
    await clock.advance(1_000);
    await one.relay.stop();
    publisher.away = false;
    relayOn({ clock, storage, publisher }, { owner: "two" }).commit();
    await clock.advance(0);
    expect(idsOf(publisher.arrivals)).toEqual(["a1"]);
  });

  test("do not wait out a lease that its holder was renewing as it finished", async () => {
    const { clock, outbox, publisher, commit } = relayOn({}, { leaseMs: 9_000 });
    publisher.gate.close();
    commit("a1");
    await clock.advance(0);
    const claim = outbox.claim.bind(outbox);
    let renew = () => {};
    outbox.claim = (request) => new Promise((resolve) => (renew = () => resolve(claim(request))));
    await clock.advance(3_000);
    outbox.claim = claim;
    publisher.gate.open();
    await clock.advance(0);
    renew();
    await clock.advance(0);
    expect([outbox.waiting, outbox.holder]).toEqual([[], null]);
  });
});

describe("events that no queue is bound for", () => {
  test("are let go and counted, and told of once", async () => {
    const { clock, outbox, publisher, relay, log, commit } = relayOn();
    publisher.unroutable = (event) => event.jobId === "b";
    commit("a1", "b1", "a2", "b2", "b3");
    await clock.advance(0);
    commit("b4");
    await clock.advance(0);
    expect(idsOf(publisher.arrivals)).toEqual(["a1", "a2"]);
    expect(outbox.waiting).toEqual([]);
    expect(relay.state()).toMatchObject({ publisher: "up", published: 2, unroutable: 4 });
    expect(log.warnings.length).toBe(1);
  });

  test('wait in order until somebody listens, with unroutable "keep", and are told of once', async () => {
    const { clock, outbox, publisher, relay, log, commit } = relayOn({ unroutable: "keep" });
    publisher.unroutable = () => true;
    commit(...many(9));
    await clock.advance(60_000);
    expect(idsOf(outbox.waiting)).toEqual(many(9));
    expect(log.warnings.length).toBe(1);
    publisher.unroutable = () => false;
    await clock.advance(5_000);
    expect(idsOf(publisher.firstArrivals)).toEqual(many(9));
    expect(relay.state()).toMatchObject({ unroutable: 0 });
    expect(outbox.waiting).toEqual([]);
  });
});

describe("stopping a relay", () => {
  test("ends its waits and its polls", async () => {
    const { clock, publisher, relay, commit } = relayOn();
    relay.start();
    publisher.away = true;
    commit("a1");
    await clock.advance(10_000);
    const stopped = watch(relay.stop().then(() => "stopped"));
    await clock.advance(0);
    expect(stopped.value).toBe("stopped");
    expect(clock.pendingTimers()).toEqual([]);
    relay.committed([]);
    await clock.advance(10_000);
    expect(clock.pendingTimers()).toEqual([]);
  });

  test("draining answers whether all is out by the deadline", async () => {
    const { clock, publisher, relay, insert } = relayOn();
    insert("a1");
    expect(await relay.drain(clock.monotonic() + 1_000)).toBe(true);
    expect(idsOf(publisher.arrivals)).toEqual(["a1"]);
    publisher.away = true;
    insert("a2");
    const drained = watch(relay.drain(clock.monotonic() + 1_000));
    await clock.advance(1_000);
    expect(drained.value).toBe(false);
  });
});
