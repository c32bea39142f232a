import fc from "fast-check";
import { type Climate, type Request, type Trouble, troubles } from "./weather.js";

export const jobs = ["a", "b", "c"] as const;
/** Not there until a step creates it. */
export const lateJob = "d";
export type JobName = (typeof jobs)[number] | typeof lateJob;
export type Place = 0 | 1 | 2;

/** Who speaks for a job: the process, the handle of its newest attempt, or one of an attempt before that. */
export type Voice = "process" | "handle" | "old handle";
export type End = "complete" | "fail" | "cancel";
export type NamedAttempt = "next" | "same" | "before" | "far ahead";

/** One step of a history. Calls are made and not waited for; only "wait" lets time pass. */
export type Step =
  | { readonly do: "report"; at: Place; job: JobName; percent: number; force: boolean; voice: Voice }
  | {
      readonly do: "start";
      at: Place;
      job: JobName;
      attempt: NamedAttempt | null;
      resume: boolean;
      ifRunning: "takeOver" | "reject";
    }
  | { readonly do: "end"; at: Place; job: JobName; end: End; voice: Voice }
  | { readonly do: "status"; at: Place; job: JobName; status: SettableStatus; percent: number | null }
  | { readonly do: "request cancel"; at: Place; job: JobName }
  | { readonly do: "time out"; at: Place; olderThanMs: number }
  | { readonly do: "run"; at: Place; job: JobName; percents: readonly number[]; pauseMs: number; throws: boolean }
  | { readonly do: "in a transaction"; at: Place; job: JobName; end: End; holdMs: number; commits: boolean }
  | { readonly do: "create" | "read"; at: Place; job: JobName }
  | { readonly do: "watch"; at: Place; job: JobName; pauseMs: number; leavesAfter: number | null }
  | { readonly do: "flush" | "close" | "kill"; at: Place }
  | { readonly do: "wait"; ms: number }
  | { readonly do: "wall clock jumps"; ms: number }
  | { readonly do: "trouble"; request: Request; trouble: Trouble; times: number };

export type SettableStatus = "pending" | "queued" | "running" | "retrying" | "failed" | "timeout";

export interface History {
  readonly climate: Climate;
  /** How many reporters there are. */
  readonly places: 2 | 3;
  readonly delivery: "outbox" | "direct";
  /** Whether live updates reach other processes. */
  readonly reach: "shared" | "process";
  /** Events in one claim of the relay. */
  readonly relayBatch: number;
  readonly steps: readonly Step[];
}

const at = fc.constantFrom<Place[]>(0, 1, 2);
const job = fc.constantFrom<JobName[]>("a", "a", "a", "a", "b", "b", "c", lateJob);
const percent = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 100 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 24.9, 25, 49.5, 99.9, 100) },
);
const voice = fc.constantFrom<Voice[]>("process", "handle", "handle", "old handle");
const end = fc.constantFrom<End[]>("complete", "fail", "cancel");

const trouble = fc.constantFrom(...(Object.keys(troubles) as Request[])).chain((request) =>
  fc.record({
    do: fc.constant("trouble" as const),
    request: fc.constant(request),
    trouble: fc.constantFrom(...troubles[request]),
    times: fc.integer({ min: 1, max: 4 }),
  }),
);

function stepOf<K extends Step["do"], F extends object>(kind: K, fields: { [P in keyof F]: fc.Arbitrary<F[P]> }) {
  return fc.record({ do: fc.constant(kind), ...fields }) as unknown as fc.Arbitrary<Step>;
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 30, arbitrary: stepOf("report", { at, job, percent, force: fc.constantFrom(false, false, true), voice }) },
  {
    weight: 10,
    arbitrary: stepOf("start", {
      at,
      job,
      attempt: fc.constantFrom(null, null, null, "next", "same", "before", "far ahead"),
      resume: fc.boolean(),
      ifRunning: fc.constantFrom("takeOver", "takeOver", "reject"),
    }),
  },
  { weight: 7, arbitrary: stepOf("end", { at, job, end, voice }) },
  {
    weight: 5,
    arbitrary: stepOf("status", {
      at,
      job,
      status: fc.constantFrom("pending", "queued", "queued", "running", "retrying", "failed", "timeout"),
      percent: fc.oneof(fc.constant(null), percent),
    }),
  },
  { weight: 2, arbitrary: stepOf("request cancel", { at, job }) },
  { weight: 2, arbitrary: stepOf("time out", { at, olderThanMs: fc.constantFrom(1, 2_000, 8_000) }) },
  {
    weight: 3,
    arbitrary: stepOf("run", {
      at,
      job,
      percents: fc.array(percent, { maxLength: 4 }),
      pauseMs: fc.constantFrom(0, 5, 900),
      throws: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: stepOf("in a transaction", {
      at,
      job,
      end,
      holdMs: fc.constantFrom(0, 5, 900, 3_000),
      commits: fc.constantFrom(true, true, false),
    }),
  },
  { weight: 2, arbitrary: stepOf("create", { at, job: fc.constant(lateJob) }) },
  { weight: 1, arbitrary: stepOf("read", { at, job }) },
  {
    weight: 4,
    arbitrary: stepOf("watch", {
      at,
      job,
      pauseMs: fc.constantFrom(0, 0, 300, 5_000),
      leavesAfter: fc.constantFrom(null, null, null, 2),
    }),
  },
  { weight: 3, arbitrary: stepOf("flush", { at }) },
  { weight: 1, arbitrary: stepOf("close", { at }) },
  { weight: 2, arbitrary: stepOf("kill", { at }) },
  { weight: 24, arbitrary: stepOf("wait", { ms: fc.constantFrom(0, 0, 1, 5, 50, 500, 2_000, 2_000, 6_000, 31_000) }) },
  {
    weight: 1,
    arbitrary: stepOf("wall clock jumps", { ms: fc.constantFrom(-3_600_000, -5_000, -1, 5_000, 86_400_000) }),
  },
  { weight: 5, arbitrary: trouble },
);

/** Histories of up to so many steps, each readable as a list of sentences. */
export function histories(maxSteps: number): fc.Arbitrary<History> {
  const climate = fc.record({
    seed: fc.noShrink(fc.integer({ min: 0, max: 2 ** 31 - 1 })),
    latency: fc.constantFrom("none" as const, "short" as const, "short" as const, "wide" as const),
    troublePerMille: fc.constantFrom(0, 0, 20, 150),
  });
  return fc
    .record({
      climate,
      places: fc.constantFrom(2 as const, 3 as const),
      delivery: fc.constantFrom("outbox" as const, "outbox" as const, "outbox" as const, "direct" as const),
      reach: fc.constantFrom("shared" as const, "process" as const),
      relayBatch: fc.constantFrom(500, 1, 2),
      steps: fc.array(step, { minLength: 1, maxLength: maxSteps, size: "max" }),
    })
    .map((history) => ({ ...history, [fc.toStringMethod]: () => inWords(history) }));
}

/** A history as a list of steps to read, with which it can be told what happened. */
export function inWords({ climate, places, delivery, reach, relayBatch, steps }: History): string {
  const { seed, latency, troublePerMille } = climate;
  const stage = [
    `${places} reporters, delivery ${delivery} in claims of ${relayBatch}, live updates ${reach}`,
    `weather ${seed}: latency ${latency}, ${troublePerMille} of 1000 requests in trouble`,
  ];
  return [...stage, ...steps.map((each, i) => `${String(i + 1).padStart(3)}. ${sentence(each)}`)]
    .map((line) => `\n  ${line}`)
    .join("");
}

function sentence(step: Step): string {
  const { do: verb, ...rest } = step;
  const words = Object.entries(rest).map(([name, value]) => {
    if (name === "at") return `by reporter ${value}`;
    if (name === "job") return `job ${value}`;
    return `${name} ${JSON.stringify(value)}`;
  });
  return [verb, ...words].join(", ");
}
