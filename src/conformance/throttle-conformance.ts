import type { ThrottleAdapter } from "../ports/throttle.js";
import { registerCases } from "./register-cases.js";
import type { RegisterTest } from "./storage-under-test.js";
import { sharedThrottleCases, throttleCases } from "./throttle-cases.js";

/** A throttle of its own for one case: no key of it is taken. */
export interface ThrottleUnderTest {
  readonly throttle: ThrottleAdapter;
  /** A second adapter on the same windows, as another process has it. The throttle itself where windows are not shared. */
  readonly peer: ThrottleAdapter;
  /** Closes and removes everything. */
  dispose(): Promise<void>;
}

/** What a throttle does beyond the windows of one process: true, or the reason why not. */
export interface ThrottleSupports {
  /** Whether several adapters share windows. @default true */
  readonly sharing?: true | string;
}

/** What `throttleConformance` needs. */
export interface ThrottleConformanceOptions {
  readonly test: RegisterTest;
  /** A fresh throttle for each case. */
  readonly factory: () => Promise<ThrottleUnderTest>;
  readonly supports?: ThrottleSupports;
}

/**
 * Registers a test per promise of the throttle port.
 * @example
 * describe("my throttle", () => throttleConformance({ test, factory: async () => openMyThrottle() }));
 */
export function throttleConformance({ test, factory, supports = {} }: ThrottleConformanceOptions): void {
  const { sharing = true } = supports;
  const cases = sharing === true ? [...throttleCases, ...sharedThrottleCases] : throttleCases;
  registerCases(test, factory, cases);
}
