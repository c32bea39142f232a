import { memoryLive } from "../../src/adapters/memory/memory-live.js";
import { Windows } from "../../src/domain/window.js";
import { createEngine } from "../../src/engine/create-engine.js";
import { DirectDelivery } from "../../src/engine/direct-delivery.js";
import type { EventDelivery } from "../../src/engine/event-delivery.js";
import type { ProgressEngine } from "../../src/engine/progress-engine.js";
import { Publishing, type Unroutable } from "../../src/engine/publishing.js";
import { Relay } from "../../src/engine/relay.js";
import type { WatchHub } from "../../src/engine/watch-hub.js";
import { type ParsedOptions, parseOptions, type ReporterOptions } from "../../src/options.js";
import type { Clock } from "../../src/ports/clock.js";
import type { DedupeAdapter } from "../../src/ports/dedupe.js";
import type { LiveAdapter } from "../../src/ports/live.js";
import type { PublisherAdapter } from "../../src/ports/publisher.js";
import type { StorageAdapter } from "../../src/ports/storage.js";
import type { ThrottleAdapter } from "../../src/ports/throttle.js";
import type { ProgressReporter } from "../../src/reporter/progress-reporter.js";
import { reporterOver } from "../../src/reporter/reporter.js";
import { InMemoryStorage } from "../support/in-memory-storage.js";
import { RecordingPublisher } from "../support/recording-publisher.js";
import { SimulatedClock } from "../support/simulated-clock.js";

/** Warnings, as an operator reads them. */
export class RecordingLog {
  readonly warnings: string[] = [];
  /** What was told with them. */
  readonly details: unknown[] = [];

  warn(message: string, details?: object): void {
    this.warnings.push(message);
    if (details !== undefined) this.details.push(details);
  }
}

/** Windows that engines share, counting round trips. */
export class SharedWindows implements ThrottleAdapter {
  /** The keys of every round trip. */
  readonly asked: (readonly string[])[] = [];
  /** Answers instead of the windows, where set. */
  answer: ((key: string) => number) | null = null;
  readonly #clock: Clock;
  readonly #windows = new Windows();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async acquire(keys: readonly string[], windowMs: number): Promise<readonly number[]> {
    this.asked.push(keys);
    return keys.map((key) => this.answer?.(key) ?? this.#windows.acquire(key, this.#clock.monotonic(), windowMs));
  }

  async close(): Promise<void> {}
}

export interface EngineParts {
  readonly clock?: SimulatedClock;
  readonly storage?: InMemoryStorage;
  readonly throttle?: ThrottleAdapter;
  readonly publisher?: RecordingPublisher;
  readonly dedupe?: DedupeAdapter;
  readonly options?: Omit<ReporterOptions, "log">;
  /** Draws the spread of waits, 0–1. */
  readonly random?: () => number;
  readonly live?: LiveAdapter;
  /** Told apart in event ids and leases. */
  readonly name?: string;
}

/** An engine with its reporter, on parts that a test can watch and break. */
export interface EngineUnderTest {
  readonly clock: SimulatedClock;
  readonly storage: InMemoryStorage;
  readonly throttle: ThrottleAdapter;
  readonly publisher: RecordingPublisher;
  readonly log: RecordingLog;
  readonly engine: ProgressEngine;
  readonly hub: WatchHub;
  readonly delivery: EventDelivery;
  readonly reporter: ProgressReporter;
}

const backoff = { firstMs: 50, maxMs: 1_000 };
let engines = 0;

/** Wires an engine as the composition root does, on a simulated clock and ports in memory. */
export function engineOn(parts: EngineParts = {}): EngineUnderTest {
  const clock = parts.clock ?? new SimulatedClock();
  const storage = parts.storage ?? new InMemoryStorage(clock);
  const throttle = parts.throttle ?? new SharedWindows(clock);
  const publisher = parts.publisher ?? new RecordingPublisher();
  const { dedupe = null, options = {}, random = () => 0.5, name = `engine ${++engines}` } = parts;
  const live = parts.live ?? memoryLive({ clock });
  const ports = { clock, storage, throttle, publisher, dedupe, live };
  return { clock, storage, throttle, publisher, ...wire({ ...ports, options, random, name }) };
}

/** Ports of any kind, all named. */
export interface Ports {
  readonly clock: Clock;
  readonly storage: StorageAdapter;
  readonly throttle: ThrottleAdapter;
  readonly publisher: PublisherAdapter;
  /** Set for direct delivery. */
  readonly dedupe: DedupeAdapter | null;
  readonly live: LiveAdapter;
  readonly options: Omit<ReporterOptions, "log">;
  readonly random: () => number;
  readonly name: string;
}

export type Wired = Pick<EngineUnderTest, "log" | "engine" | "hub" | "delivery" | "reporter">;

/** The same on ports of any kind. */
export function wire(ports: Ports): Wired {
  const { clock, storage, throttle, publisher, live, random, name } = ports;
  const log = new RecordingLog();
  const options = parseOptions({ ...ports.options, log });
  const { limits, closeTimeoutMs } = options;
  const delivery = deliveryOver(ports, options);
  let events = 0;
  const newEventId = () => `${name}, event ${++events}`;
  const { engine, reader, hub } = createEngine({
    storage,
    throttle,
    live,
    delivery,
    clock,
    log,
    random,
    newEventId,
    storageBackoff: backoff,
    settings: options,
  });
  const release = () => publisher.close();
  const reporter = reporterOver({
    engine,
    reader,
    hub,
    storage,
    delivery,
    clock,
    log,
    limits,
    closeTimeoutMs,
    release,
  });
  return { log, engine, hub, delivery, reporter };
}

function deliveryOver(ports: Ports, options: ParsedOptions): EventDelivery {
  const { clock, storage, publisher, dedupe, random, name } = ports;
  const { log, relay } = options;
  const unroutable: Unroutable = dedupe === null ? options.unroutable : "drop";
  const publishing = new Publishing(publisher, unroutable, log);
  if (dedupe !== null) {
    const { batchSize } = relay;
    const memory = { maxWaiting: 10_000, rememberMs: 3_600_000 };
    return new DirectDelivery({ publishing, dedupe, clock, log, random, batchSize, ...memory, backoff });
  }
  if (storage.outbox === null) throw new TypeError("Delivery without an outbox needs a dedupe");
  return new Relay({
    outbox: storage.outbox,
    publishing,
    clock,
    log,
    random,
    owner: name,
    ...relay,
    depth: 4,
    backoff,
  });
}

/** Creates pending jobs of these ids. */
export function withJobs(storage: InMemoryStorage, ...ids: readonly string[]): void {
  for (const id of ids) storage.put(id);
}

/** The percents that were written to a job, in order. */
export function percentsOf(storage: InMemoryStorage, id: string): readonly number[] {
  return storage.writesOf(id).map((entry) => entry.write.next.progress);
}

/** What a promise has come to: undefined while it is pending. */
export function watch<T>(promise: Promise<T>): { readonly value: T | undefined; readonly error: unknown } {
  const seen: { value: T | undefined; error: unknown } = { value: undefined, error: undefined };
  promise.then(
    (value) => {
      seen.value = value;
    },
    (error: unknown) => {
      seen.error = error;
    },
  );
  return seen;
}
