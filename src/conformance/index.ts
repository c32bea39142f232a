export { type StorageConformanceOptions, storageConformance } from "./storage-conformance.js";
export type { RegisterTest, StorageSupports, StorageUnderTest } from "./storage-under-test.js";
