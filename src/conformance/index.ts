export {
  type DedupeConformanceOptions,
  type DedupeSupports,
  type DedupeUnderTest,
  dedupeConformance,
} from "./dedupe-conformance.js";
export {
  type LiveConformanceOptions,
  type LiveSupports,
  type LiveUnderTest,
  liveConformance,
} from "./live-conformance.js";
export { type PublisherConformanceOptions, publisherConformance } from "./publisher-conformance.js";
export type { PublisherUnderTest, ReceivedEvent } from "./publisher-under-test.js";
export { type StorageConformanceOptions, storageConformance } from "./storage-conformance.js";
export type { RegisterTest, StorageSupports, StorageUnderTest } from "./storage-under-test.js";
export {
  type ThrottleConformanceOptions,
  type ThrottleSupports,
  type ThrottleUnderTest,
  throttleConformance,
} from "./throttle-conformance.js";
