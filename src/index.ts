export { type CloseOnSignalsOptions, closeOnSignals } from "./close-on-signals.js";
export {
  type AmqpArgument,
  createProgressReporter,
  type DatabaseArgument,
  type RedisArgument,
} from "./create-progress-reporter.js";
export { type ErrorCode, errorCodes, isRetryable, WorkerProgressError } from "./domain/errors.js";
export type { JobEventPayload } from "./domain/event.js";
export type { JobId } from "./domain/job-id.js";
export { type JobStatus, jobStatuses } from "./domain/job-status.js";
export type { JobView } from "./domain/job-view.js";
export type { ProgressResult } from "./domain/progress-result.js";
export type { ReporterOptions } from "./options.js";
export type { PublisherAdapter } from "./ports/publisher.js";
export type { StorageAdapter } from "./ports/storage.js";
export type { ThrottleAdapter } from "./ports/throttle.js";
export type { JobHandle } from "./reporter/job-handle.js";
export type { Health, ProgressReporter } from "./reporter/progress-reporter.js";
export type { ProgressSink } from "./reporter/progress-sink.js";
