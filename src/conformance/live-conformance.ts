import type { LiveAdapter } from "../ports/live.js";
import { liveCases, sharedLiveCases } from "./live-cases.js";
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

/** What `liveConformance` needs. */
export interface LiveConformanceOptions {
  readonly test: RegisterTest;
  /** Fresh live updates for each case, whose log keeps quiet. */
  readonly factory: () => Promise<LiveUnderTest>;
  /** What the adapter's `reach` is. */
  readonly reach: LiveAdapter["reach"];
}

/**
 * Registers a test per promise of the live port.
 * @example
 * describe("my live", () => liveConformance({ test, reach: "shared", factory: async () => openMyLive() }));
 */
export function liveConformance({ test, factory, reach }: LiveConformanceOptions): void {
  const cases = reach === "shared" ? [...liveCases, ...sharedLiveCases] : liveCases;
  const onReach = cases.map(({ name, body }) => ({ name, body: (subject: LiveUnderTest) => body(subject, reach) }));
  registerCases(test, factory, onReach);
}
