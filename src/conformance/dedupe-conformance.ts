import type { DedupeAdapter } from "../ports/dedupe.js";
import { dedupeCases, sharedDedupeCases } from "./dedupe-cases.js";
import { registerCases } from "./register-cases.js";
import type { RegisterTest } from "./storage-under-test.js";

/** A memory of sent events of its own for one case: no id of it is marked. */
export interface DedupeUnderTest {
  readonly dedupe: DedupeAdapter;
  /** A second adapter on the same marks, as another process has it. The same one where marks are not shared. */
  readonly peer: DedupeAdapter;
  /** Closes and removes everything. */
  dispose(): Promise<void>;
}

/** What a memory of sent events does beyond one process: true, or the reason why not. */
export interface DedupeSupports {
  /** Whether several adapters share marks. @default true */
  readonly sharing?: true | string;
}

/** What `dedupeConformance` needs. */
export interface DedupeConformanceOptions {
  readonly test: RegisterTest;
  /** A fresh memory for each case. */
  readonly factory: () => Promise<DedupeUnderTest>;
  readonly supports?: DedupeSupports;
}

/**
 * Registers a test per promise of the dedupe port.
 * @example
 * describe("my dedupe", () => dedupeConformance({ test, factory: async () => openMyDedupe() }));
 */
export function dedupeConformance({ test, factory, supports = {} }: DedupeConformanceOptions): void {
  const { sharing = true } = supports;
  const cases = sharing === true ? [...dedupeCases, ...sharedDedupeCases] : dedupeCases;
  registerCases(test, factory, cases);
}
