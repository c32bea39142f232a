import { type ErrorCode, WorkerProgressError } from "../domain/errors.js";
import { reasonOf } from "../domain/reason-of.js";
import type { Log } from "../ports/log.js";
import { type ProblemCode, problemResponse } from "./problem.js";

/** Seconds after which a client may try again what failed for now. */
const retryAfterSeconds = "5";

/*
 * An id that does not fit the id column names no job. The text of an error may hold what its reader must not see, such as
 * a host or a table: it goes to the log.
 */
const problemOf: Partial<Readonly<Record<ErrorCode, ProblemCode>>> = {
  INVALID_ARGUMENT: "JOB_NOT_FOUND",
  JOB_NOT_FOUND: "JOB_NOT_FOUND",
  JOB_FINISHED: "JOB_FINISHED",
  CONFLICT: "STORAGE_UNAVAILABLE",
  CAPACITY_EXCEEDED: "STORAGE_UNAVAILABLE",
  STORAGE_UNAVAILABLE: "STORAGE_UNAVAILABLE",
  REPORTER_CLOSED: "STORAGE_UNAVAILABLE",
};

/**
 * What a client is told of an error: its kind, never its text. The log is told the rest of what a client cannot mend, but
 * not what breaks because the client has gone.
 */
export function failureResponse(error: unknown, { signal }: Request, log: Log): Response {
  const code = (error instanceof WorkerProgressError ? problemOf[error.code] : undefined) ?? "INTERNAL";
  if (!signal.aborted && (code === "INTERNAL" || code === "STORAGE_UNAVAILABLE")) {
    log.warn("A request about a job could not be answered", { code, reason: reasonOf(error) });
  }
  return problemResponse(code, code === "STORAGE_UNAVAILABLE" ? { headers: { "retry-after": retryAfterSeconds } } : {});
}
