import { closeCases, publishCases } from "./publisher-cases.js";
import type { PublisherUnderTest } from "./publisher-under-test.js";
import { registerCases } from "./register-cases.js";
import type { RegisterTest } from "./storage-under-test.js";

/** What `publisherConformance` needs. */
export interface PublisherConformanceOptions {
  readonly test: RegisterTest;
  /** A fresh publisher for each case. */
  readonly factory: () => Promise<PublisherUnderTest>;
}

/**
 * Registers a test per promise of the publisher port.
 * @example
 * describe("my publisher", () => publisherConformance({ test, factory: async () => openMyPublisher() }));
 */
export function publisherConformance({ test, factory }: PublisherConformanceOptions): void {
  registerCases(test, factory, [...publishCases, ...closeCases]);
}
