import type { StageAddress } from "../guarantees/stage-address.js";
import { startWorker, type WorkerProcess } from "../support/child-process.js";
import type { Accepted, CourseMessage, CourseOrder, CourseTask, Phase, Seen } from "./workers/course-messages.js";

/** A process that reports all through a fault, and the orders the test gives it. */
export interface CourseWorker {
  readonly process: WorkerProcess<CourseMessage>;
  /** What is seen from now on counts for this phase. */
  enter(phase: Phase): Promise<void>;
  /** Waits until the phase has lasted so long, and something was reported and changed in it. */
  last(ms: number): Promise<void>;
  /** Resolves when its process has had a turn. */
  answer(): Promise<void>;
  /** Stops reporting and answers what was accepted last, by job. */
  pause(): Promise<Readonly<Record<string, Accepted>>>;
  /** Stops reporting, beginning and ending jobs; resolves when no call is under way. */
  rest(): Promise<void>;
  resume(): void;
  /** Takes every connection of the worker's own pool away, or gives them back. */
  takeConnections(take: boolean): Promise<void>;
  /** What the library warned of so far, oldest first. */
  warnings(): string[];
  /** The reasons it gave, oldest first. */
  reasons(): string[];
  /** Lets it complete its jobs, close its reporter and end by itself. */
  finish(): Promise<FinishedWorker>;
}

/** What a worker leaves behind. */
export interface FinishedWorker {
  readonly seen: Readonly<Record<Phase, Seen>>;
  readonly unfinished: NonNullable<CourseMessage["unfinished"]>;
  readonly exitCode: number | null;
}

/** Starts a worker of a course and waits until it reports. */
export async function startCourseWorker(
  address: StageAddress,
  task: Pick<CourseTask, "steadyJobIds" | "epoch"> & Partial<CourseTask>,
): Promise<CourseWorker> {
  const whole: CourseTask = { passingJobIds: [], options: {}, ownPool: null, sentinel: null, ...task };
  const worker = await startWorker<CourseMessage>(new URL("./workers/course.ts", import.meta.url), {
    args: [JSON.stringify({ address, task: whole })],
  });
  await worker.message(({ ready }) => ready === true);
  const order = async (given: CourseOrder, answered: (message: CourseMessage) => boolean) => {
    const before = worker.messages.length;
    worker.send(given);
    return worker.message((message) => worker.messages.indexOf(message, before) >= 0 && answered(message));
  };
  return {
    process: worker,
    enter: async (phase) => void (await order({ phase }, ({ entered }) => entered === phase)),
    last: async (lastMs) => void (await order({ lastMs }, ({ over }) => over !== undefined)),
    answer: async () => void (await order({ answer: true }, ({ answered }) => answered === true)),
    async pause() {
      const { paused } = await order({ pause: true }, (message) => message.paused !== undefined);
      return paused as NonNullable<typeof paused>;
    },
    rest: async () => void (await order({ rest: true }, ({ rested }) => rested === true)),
    resume: () => worker.send({ resume: true } satisfies CourseOrder),
    async takeConnections(take) {
      await order({ takeConnections: take }, ({ connectionsTaken }) => connectionsTaken === take);
    },
    warnings: () => worker.messages.flatMap(({ warned }) => warned ?? []),
    reasons: () => worker.messages.flatMap(({ reason }) => reason ?? []),
    async finish() {
      const { figures, unfinished } = await order({ finish: true }, (message) => message.figures !== undefined);
      const { code } = await worker.exit;
      return {
        seen: figures as NonNullable<typeof figures>,
        unfinished: unfinished as NonNullable<typeof unfinished>,
        exitCode: code,
      };
    },
  };
}
