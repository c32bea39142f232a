import { reasonOf } from "../domain/reason-of.js";
import type { Log } from "../ports/log.js";
import { within } from "./within.js";

/** What a caller wants of a job. */
export type JobAction = "read" | "watch" | "cancel";

/**
 * Whether the caller may do this to the job, which is named as in the URL, decoded, whether it exists or not. Only `true`
 * allows; an error, any other answer and none within `authorizeTimeoutMs` deny.
 */
export type Authorize = (request: Request, jobId: string, action: JobAction) => boolean | Promise<boolean>;

/** Asks, for a bounded time, and takes everything but a clear yes for a no. */
export function askPermission(
  authorize: Authorize,
  { timeoutMs, log }: { readonly timeoutMs: number; readonly log: Log },
): (request: Request, jobId: string, action: JobAction) => Promise<boolean> {
  return async (request, jobId, action) => {
    try {
      const answer = authorize(request, jobId, action);
      return (typeof answer === "boolean" ? answer : await within(answer, timeoutMs)) === true;
    } catch (error) {
      // What is given up because the client has gone is no failure.
      if (!request.signal.aborted) {
        log.warn(`Denied to ${action} job ${JSON.stringify(jobId)}: authorize failed`, { reason: reasonOf(error) });
      }
      return false;
    }
  };
}
