export {
  type EventListener,
  type InProcessPublisher,
  type InProcessPublisherOptions,
  inProcessPublisher,
  type ReadEventsOptions,
} from "./in-process-publisher.js";
export { type MemoryDedupeOptions, memoryDedupe } from "./memory-dedupe.js";
export { type MemoryLiveOptions, memoryLive } from "./memory-live.js";
export { type MemoryThrottleOptions, memoryThrottle } from "./memory-throttle.js";
