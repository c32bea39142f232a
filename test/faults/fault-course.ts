import { expect } from "vitest";
import { eventsWaiting, noFaults } from "../guarantees/journal.js";
import type { StageAddress } from "../guarantees/stage-address.js";
import { eventually } from "../support/eventually.js";
import { auditConsumed, auditStored, type Consumed, countWrites, type Stored, type Writes } from "./audit.js";
import { type CourseWorker, type FinishedWorker, startCourseWorker } from "./course-worker.js";
import { recordFigures } from "./figures.js";
import { openScene, type Scene } from "./scene.js";
import { watchPace } from "./watch-pace.js";
import type { Accepted, CourseTask } from "./workers/course-messages.js";

/** One row of the fault matrix. */
export interface FaultPlan {
  readonly server: "PostgreSQL" | "Redis" | "RabbitMQ";
  /** The row's name in docs/guarantees.md. */
  readonly fault: string;
  /** Addresses of private servers. A private PostgreSQL gets a database for the row. */
  readonly instead?: Partial<StageAddress>;
  /** Settings of the workers' sessions on PostgreSQL, and of no one else's. */
  readonly sessionSettings?: Readonly<Record<string, string>>;
  /** What the workers are told besides their jobs; options are merged into those of every course. */
  readonly task?: Partial<Pick<CourseTask, "options" | "ownPool" | "sentinel">>;
  /** Further processes that report on the same steady jobs. @default 0 */
  readonly companions?: number;
  /** How long the fault is held, in milliseconds. @default 1000 */
  readonly holdMs?: number;
  /** Breaks something. */
  inject(scene: Scene, worker: CourseWorker): void | Promise<void>;
  /** Mends it, and resolves when the server takes work again. */
  heal(scene: Scene, worker: CourseWorker): void | Promise<void>;
  /** What the worker warns of when it has noticed the fault, and that it is over, for which it may take its time: each lasts until then. */
  readonly noticed?: { readonly away: string; readonly back: string };
}

/** What came of a fault. */
export interface FaultCourse {
  readonly worker: FinishedWorker;
  readonly warnings: readonly string[];
  /** Those between the injection and the healing. */
  readonly warnedMeanwhile: readonly string[];
  /** Why it warned. */
  readonly reasons: readonly string[];
  readonly stored: Stored;
  readonly consumer: Consumed;
  /** Writes of the busiest steady job by all processes together, until they close. */
  readonly writes: Writes;
  /** From the server's first answer until the newest of every job is stored and the outbox is empty. */
  readonly recoveryMs: number;
  /** How slow the machine was, by what the library has no part in. */
  readonly longestTurnMs: number;
}

/** Short windows, so that a fault of a second has many of them; a server that is only slow, on a loaded machine, is not away. */
export const courseOptions = {
  windowMs: 100,
  storageTimeoutMs: 10_000,
  changeTimeoutMs: 10_000,
  relay: { leaseMs: 1_000, pollMs: 100 },
  redis: { timeoutMs: 5_000 },
} as const;

const healthyMs = 300;
/** The most that the library waits between two tries to reach a server. */
const longestPauseMs = 1_000;

/**
 * Lets workers report all through a fault: healthy, broken, held, mended, measured until the newest is stored and told, and
 * then to the end of every job. Answers what the worker saw, what is stored and what a consumer got.
 */
export async function runFaultCourse(plan: FaultPlan): Promise<FaultCourse> {
  await using scene = await openScene(plan.instead);
  const { windowMs } = { ...courseOptions, ...plan.task?.options };
  const epoch = Date.now();
  const passing = [scene.passingJobIds, ...Array.from({ length: plan.companions ?? 0 }, () => [])];
  const all = await Promise.all(passing.map((jobIds) => startReporting(scene, plan, epoch, jobIds)));
  const [worker] = all as [CourseWorker];
  const saidLast = () => worker.warnings().findLast((warning) => Object.values(plan.noticed ?? {}).includes(warning));
  await using pace = watchPace(scene, all);
  await worker.last(healthyMs);

  await Promise.all(all.map((each) => each.enter("fault")));
  const before = worker.warnings().length;
  await plan.inject(scene, worker);
  const injected = worker.warnings().length;
  if (plan.noticed !== undefined) {
    const { away } = plan.noticed;
    await eventually(() => expect([saidLast(), ...worker.warnings().slice(before)]).toContain(away));
  }
  await Promise.all(all.map((each) => each.last(plan.holdMs ?? 1_000)));
  const newest = await Promise.all(all.map((each) => each.pause()));
  const warnedMeanwhile = worker.warnings().slice(injected);
  await plan.heal(scene, worker);
  const mended = performance.now();
  await untilRecovered(scene, newest);
  const recoveryMs = performance.now() - mended;

  await Promise.all(all.map((each) => each.enter("after")));
  for (const each of all) each.resume();
  await worker.last(healthyMs);
  if (plan.noticed !== undefined) await eventually(() => expect(saidLast()).toBe(plan.noticed?.back));
  // Whoever closes writes what is open, whatever the window says.
  const writes = await countWrites(scene, windowMs);
  await pace.stop();
  const [finished] = (await Promise.all(all.map((each) => each.finish()))) as [FinishedWorker];
  await eventually(async () => expect(await auditConsumed(scene)).toMatchObject({ missing: 0 }));
  const course: FaultCourse = {
    worker: finished,
    warnings: worker.warnings(),
    warnedMeanwhile,
    reasons: worker.reasons(),
    stored: await auditStored(scene),
    writes,
    consumer: await auditConsumed(scene),
    recoveryMs,
    longestTurnMs: pace.longestMs,
  };
  recordFigures({ server: plan.server, fault: plan.fault, ...course });
  return course;
}

/** Waits until of each job the newest that any worker was told is kept is stored, and no event waits. */
export async function untilRecovered(
  { stage, steadyJobIds }: Scene,
  newest: readonly Readonly<Record<string, Accepted>>[],
): Promise<void> {
  await eventually(
    async () => {
      for (const jobId of steadyJobIds) {
        const { progress, message } = await stage.row(jobId);
        const accepted = newest.flatMap((of) => of[jobId] ?? []);
        expect(accepted.map((each) => each.message)).toContain(message);
        expect(progress).toBe(Math.floor(Math.max(...accepted.map(({ percent }) => percent))));
      }
      expect(await eventsWaiting(stage.db)).toBe(0);
    },
    { timeoutMs: 20_000, everyMs: 5 },
  );
}

/** What holds whatever the fault was. */
export function expectPromisesKept({ worker, stored, consumer, recoveryMs, longestTurnMs }: FaultCourse): void {
  expect(stored).toMatchObject({ faults: noFaults, unended: [] });
  expect(consumer).toEqual({
    events: stored.events,
    deliveries: consumer.deliveries,
    missing: 0,
    invented: 0,
    outOfOrder: [],
    altered: 0,
    afterTheEnd: 0,
  });
  expect(worker).toMatchObject({ exitCode: 0, unfinished: { unwritten: [], unpublished: false } });
  for (const { calls, longestOwnMs } of Object.values(worker.seen)) {
    expect(calls).toBeGreaterThan(0);
    // Less than 5 as a rule; the processor's clock may tick, or garbage be collected, within the call.
    expect(longestOwnMs).toBeLessThan(20);
  }
  // The longest pause may just have begun; then a connection is opened, and what waits is written and told.
  expect(recoveryMs).toBeLessThan(longestPauseMs + 1_000 + longestTurnMs);
}

function startReporting(
  scene: Scene,
  plan: FaultPlan,
  epoch: number,
  passingJobIds: readonly string[],
): Promise<CourseWorker> {
  const databaseUrl = withSettings(scene.workerAddress.databaseUrl, plan.sessionSettings);
  return startCourseWorker(
    { ...scene.workerAddress, databaseUrl },
    {
      ...plan.task,
      steadyJobIds: scene.steadyJobIds,
      passingJobIds,
      epoch,
      options: { ...courseOptions, ...plan.task?.options },
    },
  );
}

function withSettings(databaseUrl: string, settings: Readonly<Record<string, string>> = {}): string {
  const url = new URL(databaseUrl);
  const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value.replaceAll(" ", "\\ ")}`);
  if (options.length > 0) url.searchParams.set("options", options.join(" "));
  return url.href;
}
