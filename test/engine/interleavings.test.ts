import fc from "fast-check";
import { expect, test } from "vitest";
import { canTransition, isTerminal } from "../../src/domain/job-status.js";
import type { JobHandle } from "../../src/reporter/job-handle.js";
import type { ProgressReporter } from "../../src/reporter/progress-reporter.js";
import { InMemoryStorage } from "../support/in-memory-storage.js";
import { RecordingPublisher } from "../support/recording-publisher.js";
import { SimulatedClock } from "../support/simulated-clock.js";
import { type EngineUnderTest, engineOn, SharedWindows } from "./engine-on.js";

const plain = "plain";
const ids = ["a", "b"] as const;
type Id = (typeof ids)[number];

interface Report {
  readonly kind: "progress" | "force";
  readonly percent: number;
  readonly byHandle: boolean;
}

type Call = Report | { readonly kind: "start" | "complete" | "fail" | "queue" | "flush" };

type Step =
  | { readonly kind: "call"; readonly engine: 0 | 1; readonly id: Id; readonly call: Call }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "fault"; readonly point: "before" | "after"; readonly count: number }
  | { readonly kind: "publisher"; readonly point: "before" | "after" }
  | { readonly kind: "outage"; readonly ms: number };

const call: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom("progress" as const, "progress" as const, "force" as const),
      percent: fc.integer({ min: 0, max: 100 }),
      byHandle: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("start", "complete", "fail", "queue", "flush") }) },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant("call" as const),
      engine: fc.constantFrom(0 as const, 1 as const),
      id: fc.constantFrom(...ids),
      call,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(0, 1, 50, 500, 2_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("fault" as const),
      point: fc.constantFrom("before" as const, "after" as const),
      count: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("publisher" as const), point: fc.constantFrom("before", "after") }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("outage" as const), ms: fc.constantFrom(10, 3_000, 20_000) }) },
);

/** Two processes on one storage, their calls, and what a test knows of them. */
class World {
  readonly clock = new SimulatedClock();
  readonly storage = new InMemoryStorage(this.clock);
  readonly publisher = new RecordingPublisher();
  readonly engines: readonly [EngineUnderTest, EngineUnderTest];
  readonly handles = new Map<string, JobHandle>();
  /** Reports by handles that were not rejected. */
  readonly accepted: { readonly id: Id; readonly attempt: number; readonly percent: number }[] = [];
  readonly open: Promise<unknown>[] = [];

  constructor() {
    const { clock, storage, publisher } = this;
    const throttle = new SharedWindows(clock);
    for (const id of ids) storage.put(id);
    this.engines = [
      engineOn({ clock, storage, throttle, publisher, name: "one" }),
      engineOn({ clock, storage, throttle, publisher, name: "two" }),
    ];
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) await this.#step(step);
    this.storage.outage = null;
    await this.clock.advance(60_000);
    await Promise.all(this.engines.map(({ reporter }) => reporter.flush()));
    await this.clock.advance(60_000);
    await Promise.all(this.open);
  }

  async #step(step: Step): Promise<void> {
    switch (step.kind) {
      case "call":
        this.#open(this.#call(step.engine, step.id, step.call));
        return;
      case "wait":
        return this.clock.advance(step.ms);
      case "fault":
        this.storage.failCommits(step.count, step.point);
        return;
      case "publisher":
        this.publisher.next(step.point);
        return;
      case "outage":
        this.storage.outage = "STORAGE_UNAVAILABLE";
        this.clock.schedule(
          step.ms,
          () => {
            this.storage.outage = null;
          },
          false,
        );
    }
  }

  #call(engine: 0 | 1, id: Id, call: Call): Promise<unknown> {
    const { reporter } = this.engines[engine];
    const key = `${engine} ${id}`;
    const handle = this.handles.get(key);
    switch (call.kind) {
      case "start":
        return reporter.startJob(id).then((job) => this.handles.set(key, job));
      case "complete":
        return handle === undefined ? reporter.completeJob(id) : handle.complete();
      case "fail":
        return handle === undefined ? reporter.failJob(id, "E", "failed") : handle.fail("E", "failed");
      case "queue":
        return reporter.updateStatus(id, "queued");
      case "flush":
        return reporter.flush();
      default:
        return call.byHandle && handle !== undefined
          ? this.#reportBy(handle, id, call)
          : reportPlainly(reporter, id, call);
    }
  }

  async #reportBy(handle: JobHandle, id: Id, { kind, percent }: Report): Promise<void> {
    const report = kind === "force" ? handle.forceProgress : handle.progress;
    const { outcome } = await report(percent, String(handle.attempt));
    if (outcome !== "rejected") this.accepted.push({ id, attempt: handle.attempt, percent });
  }

  #open(work: Promise<unknown>): void {
    this.open.push(work.catch((error: unknown) => expect(error).toHaveProperty("code")));
  }
}

function reportPlainly({ progress, forceProgress }: ProgressReporter, id: Id, { kind, percent }: Report) {
  return kind === "force" ? forceProgress(id, percent, plain) : progress(id, percent, plain);
}

const runs = Number(process.env.INTERLEAVINGS ?? 300);
const seed = process.env.INTERLEAVINGS_SEED === undefined ? {} : { seed: Number(process.env.INTERLEAVINGS_SEED) };

test("whatever two processes call in whatever order, under whatever faults, every promise holds", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      const world = new World();
      await world.run(steps);
      expectMonotonic(world);
      expectEventsToMatchChanges(world);
      expectNoStaleWrite(world);
      expectNewestToBeStored(world);
      expectNothingLeft(world);
    }),
    { numRuns: runs, ...seed },
  );
}, 120_000);

function expectMonotonic({ storage }: World): void {
  for (const { write } of storage.journal) {
    if (write.next.attempt === write.expected.attempt) {
      expect(write.next.progress).toBeGreaterThanOrEqual(write.expected.progress);
      expect(canTransition(write.expected.status, write.next.status)).toBe(true);
    } else expect(write.next.attempt).toBeGreaterThan(write.expected.attempt);
  }
}

/** One event per change of status, none that tells another story than the journal, each published in order. */
function expectEventsToMatchChanges({ storage, publisher }: World): void {
  const emitted = storage.journal.flatMap(({ write }) => write.event ?? []);
  expect(storage.outbox.history.map((event) => event.id)).toEqual(emitted.map((event) => event.id));
  for (const { write } of storage.journal) {
    const { expected, next, event } = write;
    if (expected.status !== next.status || next.progress - expected.progress >= 10) expect(event).not.toBeNull();
    if (event === null) continue;
    expect(event.payload).toMatchObject({
      previous_status: expected.status,
      previous_progress: expected.progress,
      status: next.status,
      progress: next.progress,
      attempt: next.attempt,
    });
  }
  for (const id of ids) {
    const writes = storage.writesOf(id).map(({ write }) => write);
    writes.slice(1).forEach((write, i) => {
      expect(write.expected).toEqual(writes[i]?.next);
    });
    const stored = emitted.filter((event) => event.jobId === id).map((event) => event.id);
    const arrived = publisher.firstArrivals.filter((event) => event.jobId === id).map((event) => event.id);
    expect(arrived).toEqual(stored);
  }
}

/** A report by a handle carries its attempt as its step: no write may hold the step of another attempt. */
function expectNoStaleWrite({ storage }: World): void {
  for (const { write } of storage.journal) {
    const { step } = write.set;
    if (typeof step === "string" && step !== plain) expect(Number(step)).toBe(write.next.attempt);
  }
}

/** What was accepted of an attempt that nobody ended or replaced is stored. */
function expectNewestToBeStored({ accepted, storage }: World): void {
  for (const { id, attempt, percent } of accepted) {
    const job = storage.job(id);
    const ended = storage
      .writesOf(id)
      .some(({ write }) => write.next.attempt === attempt && isTerminal(write.next.status));
    if (job.attempt === attempt && !ended) expect(job.progress).toBeGreaterThanOrEqual(percent);
  }
}

function expectNothingLeft({ engines, storage }: World): void {
  for (const { engine } of engines) expect(engine.jobs.unwritten).toBe(0);
  expect(storage.outbox.waiting).toEqual([]);
}
