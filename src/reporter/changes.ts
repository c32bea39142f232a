import { type Change, verbOf } from "../domain/command.js";
import { WorkerProgressError } from "../domain/errors.js";
import { isJobId, type JobId } from "../domain/job-id.js";
import { isJobStatus, type JobStatus, jobStatuses } from "../domain/job-status.js";
import { checkJson, type JsonValue } from "../domain/json.js";
import type { Limits } from "../domain/limits.js";
import { checkPercent } from "../domain/percent.js";
import type { StartOptions, StatusDetails } from "./progress-reporter.js";

/** Turns the arguments of `startJob` into a change. @throws {INVALID_ARGUMENT} */
export function startChange(jobId: JobId, message: unknown, options: StartOptions): Change {
  const change: Change = {
    kind: "start",
    message: text(message),
    attempt: options.attempt,
    resume: options.resume ?? false,
    ifRunning: options.ifRunning ?? "takeOver",
  };
  const check = checker(change, jobId);
  check(isTextOrAbsent(message), "message must be a string");
  const { attempt, ifRunning, resume } = change;
  check(
    attempt === undefined || (Number.isSafeInteger(attempt) && attempt >= 1),
    "attempt must be a whole number from 1",
  );
  check(typeof resume === "boolean", "resume must be true or false");
  check(ifRunning === "takeOver" || ifRunning === "reject", 'ifRunning must be "takeOver" or "reject"');
  return change;
}

/** Turns the arguments of the other lifecycle calls into a change. @throws {INVALID_ARGUMENT} */
export function statusChange(jobId: JobId, status: JobStatus, details: StatusDetails, limits: Limits): Change {
  const change = { kind: "status" as const, status };
  const check = checker(change, jobId);
  check(isJobStatus(status), `status must be one of ${jobStatuses.join(", ")}`);
  for (const key of ["step", "message", "errorCode", "errorMessage"] as const) {
    check(isTextOrAbsent(details[key]), `${key} must be a string`);
  }
  const { percent } = details;
  const checked = percent === undefined ? null : checkPercent(percent);
  check(checked === null || checked.ok, checked?.ok === false ? checked.problem : "");
  const output = details.output === undefined ? null : checkJson(details.output, limits.outputBytes, "output");
  check(output === null || output.ok, output?.ok === false ? output.problem : "");
  return {
    ...change,
    percent: checked?.ok ? checked.percent : undefined,
    step: text(details.step),
    message: text(details.message),
    errorCode: text(details.errorCode),
    errorMessage: text(details.errorMessage),
    output: output?.ok ? (output.value as JsonValue) : undefined,
  };
}

/** Turns the arguments of `requestCancel` into a change. @throws {INVALID_ARGUMENT} */
export function cancelRequest(jobId: JobId, reason: unknown): Change {
  const change: Change = { kind: "requestCancel", reason: text(reason) };
  checker(change, jobId)(isTextOrAbsent(reason), "reason must be a string");
  return change;
}

/** The text a job is known by in the engine. @throws {INVALID_ARGUMENT} for what cannot name a job */
export function keyOf(jobId: JobId): string {
  if (isJobId(jobId)) return String(jobId);
  const problem = "a job id is a non-empty string, a whole number or a bigint";
  throw new WorkerProgressError("INVALID_ARGUMENT", `Cannot tell which job is meant: ${problem}, got ${shown(jobId)}`);
}

/** Refuses what is no list of ids; a text would pass for one of its characters. @throws {INVALID_ARGUMENT} */
export function checkIds(jobIds: readonly JobId[]): void {
  if (!Array.isArray(jobIds)) {
    throw new WorkerProgressError(
      "INVALID_ARGUMENT",
      `Cannot tell which jobs are meant: an array of ids is needed, got ${shown(jobIds)}`,
    );
  }
  for (const jobId of jobIds) keyOf(jobId);
}

function checker(change: Change, jobId: JobId): (holds: boolean, problem: string) => void {
  return (holds, problem) => {
    if (holds) return;
    throw new WorkerProgressError("INVALID_ARGUMENT", `Cannot ${verbOf(change)} job "${jobId}": ${problem}`, { jobId });
  };
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || value === null || typeof value === "string";
}

function shown(value: unknown): string {
  return typeof value === "number" || value === undefined || value === null || value === ""
    ? String(value) || '""'
    : typeof value;
}
