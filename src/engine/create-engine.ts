import type { BackoffPolicy } from "../domain/backoff.js";
import type { Limits } from "../domain/limits.js";
import { redaction } from "../domain/redact.js";
import type { Clock } from "../ports/clock.js";
import type { LiveAdapter } from "../ports/live.js";
import type { Log } from "../ports/log.js";
import type { StorageAdapter } from "../ports/storage.js";
import type { ThrottleAdapter } from "../ports/throttle.js";
import { Batcher } from "./batcher.js";
import { Cancellations } from "./cancellations.js";
import { Committer } from "./committer.js";
import type { EventDelivery } from "./event-delivery.js";
import { Heartbeat } from "./heartbeat.js";
import { JobReader } from "./job-reader.js";
import { LiveFeed } from "./live-feed.js";
import { ProgressEngine } from "./progress-engine.js";
import type { ReadModelResolver } from "./read-model-resolver.js";
import { Slots } from "./slots.js";
import { WatchHub } from "./watch-hub.js";

/** What an engine runs on. */
export interface EngineParts {
  readonly storage: StorageAdapter;
  readonly throttle: ThrottleAdapter;
  readonly live: LiveAdapter;
  readonly delivery: EventDelivery;
  readonly clock: Clock;
  readonly log: Log;
  /** 0–1. */
  readonly random: () => number;
  /** A UUIDv7. */
  readonly newEventId: () => string;
  readonly storageBackoff: BackoffPolicy;
  readonly settings: EngineSettings;
}

/** How an engine behaves; times in milliseconds. */
export interface EngineSettings {
  readonly windowMs: number;
  readonly batchSize: number;
  readonly concurrency: number;
  readonly storageTimeoutMs: number;
  readonly changeTimeoutMs: number;
  readonly maxDeferredJobs: number;
  readonly idleMs: number;
  readonly maxIdleJobs: number;
  readonly limits: Limits;
  /** False for none. */
  readonly heartbeatMs: number | false;
  readonly liveMs: number;
  readonly watchPollMs: number;
  readonly resolve: ReadModelResolver;
  /** What is taken out of the texts of events. */
  readonly redact: readonly string[];
}

/** An engine, and what reads beside it. */
export interface Engine {
  readonly engine: ProgressEngine;
  readonly reader: JobReader;
  readonly hub: WatchHub;
}

/** Wires the parts of an engine to each other. */
export function createEngine(parts: EngineParts): Engine {
  const { storage, throttle, live, delivery, clock, log, random, newEventId, storageBackoff, settings } = parts;
  const { limits, storageTimeoutMs, windowMs, batchSize, concurrency, heartbeatMs } = settings;
  const feed = new LiveFeed({ live, clock, intervalMs: settings.liveMs, limits });
  const slots = new Slots({ clock, idleMs: settings.idleMs, maxIdle: settings.maxIdleJobs });
  const committer = new Committer({
    storage,
    clock,
    limits,
    storageTimeoutMs,
    newEventId,
    redact: redaction(settings.redact),
    viaOutbox: delivery.viaOutbox,
    onEvents: (events) => delivery.committed(events),
    onStored: (slot, previous, job) => feed.stored(slot, previous, job),
  });
  const batcher = new Batcher({
    committer,
    throttle,
    clock,
    log,
    random,
    windowMs,
    // What a call to the storage says when it is given up comes first.
    patienceMs: storageTimeoutMs + 100,
    batchSize,
    concurrency,
    backoff: storageBackoff,
    onNews: (slot) => feed.changed(slot),
  });
  const heartbeat = heartbeatMs === false ? null : new Heartbeat({ slots, batcher, clock, everyMs: heartbeatMs });
  const { changeTimeoutMs, maxDeferredJobs } = settings;
  const cancellations = new Cancellations(live, slots);
  const engine = new ProgressEngine({
    slots,
    batcher,
    committer,
    delivery,
    feed,
    cancellations,
    heartbeat,
    clock,
    limits,
    changeTimeoutMs,
    maxDeferredJobs,
  });
  const reader = new JobReader({ storage, live, clock, storageTimeoutMs, resolve: settings.resolve });
  const hub = new WatchHub({ reader, live, clock, random, pollMs: settings.watchPollMs });
  delivery.start();
  return { engine, reader, hub };
}
