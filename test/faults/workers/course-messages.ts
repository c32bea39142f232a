import type { ReporterOptions } from "worker-progress";

/** The parts of a course, by which a worker keeps its figures apart. */
export type Phase = "healthy" | "fault" | "after";

/** What a worker of a course is to do. */
export interface CourseTask {
  /** Jobs whose progress is reported from begin to end. */
  readonly steadyJobIds: readonly string[];
  /** Jobs that are begun and ended one after the other; none for a worker that only reports. */
  readonly passingJobIds: readonly string[];
  /** Wall-clock milliseconds from which all processes of a course derive their percents, so that these rise together. */
  readonly epoch: number;
  readonly options: ReporterOptions;
  /** Set when the worker passes a pool of its own, of which the test can take all connections away. */
  readonly ownPool: { readonly max: number; readonly connectionTimeoutMillis: number } | null;
  /** Set when the worker passes an ioredis client that finds its server through Sentinel. */
  readonly sentinel: { readonly port: number; readonly name: string } | null;
}

/** What the test tells a worker. */
export type CourseOrder =
  | { readonly phase: Phase }
  | { readonly lastMs: number }
  | { readonly answer: true }
  | { readonly pause: true }
  | { readonly rest: true }
  | { readonly resume: true }
  | { readonly takeConnections: boolean }
  | { readonly finish: true };

/** The last call of a job that was not rejected. */
export interface Accepted {
  readonly percent: number;
  readonly message: string;
}

/** What a worker saw of one phase. Times in milliseconds. */
export interface Seen {
  /** Calls of `progress`. */
  readonly calls: number;
  /** Calls of `progress` by what they answered, as in "written" or "deferred STORAGE_UNAVAILABLE". */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Lifecycle calls by what became of them: "stored" or "rejected" with the code. */
  readonly changes: Readonly<Record<string, number>>;
  /** What the first cause of each error was: a SQLSTATE, a system's code, or words. */
  readonly causes: Readonly<Record<string, number>>;
  /** The longest that a call of `progress` held the caller up. */
  readonly longestCallMs: number;
  /** The same without the time in which other processes had the processor. */
  readonly longestOwnMs: number;
  /** The longest that somebody who awaited `progress` waited. */
  readonly longestAwaitedMs: number;
  readonly longestChangeMs: number;
}

/** What a worker tells the test. */
export interface CourseMessage {
  readonly ready?: true;
  readonly entered?: Phase;
  /** The phase has lasted as long as it was to, and something was awaited and changed in it. */
  readonly over?: Phase;
  /** It was asked for an answer, and had its turn. */
  readonly answered?: true;
  /** Nothing more is reported: what was accepted last, by job. */
  readonly paused?: Readonly<Record<string, Accepted>>;
  /** No call is under way. */
  readonly rested?: true;
  readonly connectionsTaken?: boolean;
  /** A warning of the library. */
  readonly warned?: string;
  /** Why it warned, where it says so. */
  readonly reason?: string;
  /** Everything, once all jobs are completed and the reporter is closed. */
  readonly figures?: Readonly<Record<Phase, Seen>>;
  /** What `close()` answered. */
  readonly unfinished?: { readonly unwritten: readonly unknown[]; readonly unpublished: boolean };
}
