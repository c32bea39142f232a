import type { ProgressReporter } from "../reporter/progress-reporter.js";

/** What the handler needs of a reporter. */
export type JobSource = Pick<ProgressReporter, "getJob" | "watch" | "requestCancel">;
