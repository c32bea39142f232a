import type { LiveAdapter } from "../ports/live.js";
import { latestStays, liveCases, sharedLiveCases, unwrittenStays } from "./live-cases.js";
import { progressOf, storedOf } from "./live-fixtures.js";
import { registerCases } from "./register-cases.js";
import type { RegisterTest } from "./storage-under-test.js";

/** Live updates of their own for one case: nobody else publishes. */
export interface LiveUnderTest {
  readonly live: LiveAdapter;
  /** A second adapter on the same updates, as another process has it. The same one where `reach` is "process". */
  readonly peer: LiveAdapter;
  /** Closes and removes everything. */
  dispose(): Promise<void>;
}

/** What live updates carry between processes: true, or the reason why not. */
export interface LiveSupports {
  /** Whether progress travels that is not stored. @default true */
  readonly unwritten?: true | string;
  /** Whether the latest is known that another adapter published, of jobs that are not subscribed to, too. @default true */
  readonly latest?: true | string;
}

/** What `liveConformance` needs. */
export interface LiveConformanceOptions {
  readonly test: RegisterTest;
  /** Fresh live updates for each case, whose log keeps quiet. */
  readonly factory: () => Promise<LiveUnderTest>;
  /** What the adapter's `reach` is while a subscription to a job stands. */
  readonly reach: LiveAdapter["reach"];
  readonly supports?: LiveSupports;
}

/**
 * Registers a test per promise of the live port. What an adapter does not carry between processes it gives a reason for, which
 * the name of a test shows.
 * @example
 * describe("my live", () => liveConformance({ test, reach: "shared", factory: async () => openMyLive() }));
 */
export function liveConformance({ test, factory, reach, supports = {} }: LiveConformanceOptions): void {
  const { unwritten = true, latest = true } = supports;
  const cases = reach === "shared" ? [...liveCases, ...sharedLiveCases] : [...liveCases];
  if (unwritten !== true)
    cases.push({ name: `progress that is not stored does not travel: ${unwritten}`, body: unwrittenStays });
  if (latest !== true) cases.push({ name: `the latest of others is not known: ${latest}`, body: latestStays });
  const stageOf = (subject: LiveUnderTest) => ({
    ...subject,
    reach,
    newsOf: unwritten === true ? progressOf : storedOf,
    knows: latest === true ? subject.peer : subject.live,
  });
  registerCases(
    test,
    factory,
    cases.map(({ name, body }) => ({ name, body: (subject: LiveUnderTest) => body(stageOf(subject)) })),
  );
}
