import { type ErrorCode, type ErrorDetails, WorkerProgressError } from "../../domain/errors.js";

/*
 * SQLSTATE classes and codes after which the same statement can succeed.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const retryableClasses = new Set(["08", "28", "53", "57", "58"]);
/** A standby that has not been promoted yet, or a primary that is none any more. */
const readOnlyState = "25006";
const retryableStates = new Set([
  readOnlyState,
  "3D000", // the database is not there (yet)
  "40001", // serialization failure
  "40P01", // deadlock
  "55P03", // lock not available
]);
const schemaStates = new Set([
  "3F000", // schema
  "42P01", // table
  "42703", // column
  "42704", // type
  "42804", // a type that has changed
  "42883", // an operator for a type that has changed
  "42501", // permission
]);
const retryableSystemCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);
/** A certificate that is not accepted, which somebody will mend on the server or on this side. https://nodejs.org/api/tls.html#x509-certificate-error-codes */
const certificateCode =
  /^(CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_CERT|DEPTH_ZERO_|ERR_TLS_CERT_|INVALID_CA$|HOSTNAME_MISMATCH$)/;
/** What pg and its pool say without a code when a connection is lost or cannot be had. */
const retryableMessage =
  /^(Connection terminated|Query read timeout|timeout expired|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed)/;

/** Whether pg gave up waiting for an answer that may still arrive on that connection. */
export function isStatementTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === "Query read timeout";
}

/** Whether a server refused a write as a standby does. */
export function isReadOnly(error: unknown): boolean {
  return codeOf(error) === readOnlyState;
}

/** What a statement ends with because of a row that another transaction holds or has changed meanwhile. */
const contentionStates = new Set([
  "55P03", // lock_timeout
  "57014", // statement_timeout, which may be the shorter one
  "40P01", // deadlock
  "40001", // the row has changed since the snapshot: only where isolation is stricter than read committed
]);

/** Whether a statement may have failed because of a single row, so that the others of its batch can be written without it. */
export function isContention(error: unknown): boolean {
  return error instanceof WorkerProgressError && contentionStates.has(codeOf(error.cause) ?? "");
}

/** What a failed statement means to the engine. The cause is kept; the message holds no password and no URL. */
export function storageError(error: unknown, details: ErrorDetails = {}): WorkerProgressError {
  if (error instanceof WorkerProgressError) return error;
  const code = classify(error);
  return new WorkerProgressError(code, sentence(code, reason(error)), { ...details, cause: error });
}

function classify(error: unknown): ErrorCode {
  const code = codeOf(error);
  if (code !== null && (retryableSystemCodes.has(code) || certificateCode.test(code))) return "STORAGE_UNAVAILABLE";
  if (code !== null && /^[0-9A-Z]{5}$/.test(code)) {
    if (schemaStates.has(code)) return "SCHEMA_MISMATCH";
    return retryableStates.has(code) || retryableClasses.has(code.slice(0, 2))
      ? "STORAGE_UNAVAILABLE"
      : "STORAGE_REJECTED";
  }
  return retryableMessage.test(reason(error)) ? "STORAGE_UNAVAILABLE" : "STORAGE_REJECTED";
}

function sentence(code: ErrorCode, why: string): string {
  switch (code) {
    case "STORAGE_UNAVAILABLE":
      return `The database cannot be used now, try again later: ${why}`;
    case "SCHEMA_MISMATCH":
      return `The database lacks what the mapping names or forbids its use, run migrate() for the library's own tables or fix the mapping: ${why}`;
    default:
      return `The database refused the statement: ${why}`;
  }
}

function reason(error: unknown): string {
  const text = error instanceof Error ? error.message || (codeOf(error) ?? error.name) : String(error);
  return text.replace(/\b[a-z][a-z\d+.-]*:\/\/\S+/gi, "[url]");
}

function codeOf(error: unknown): string | null {
  if (typeof error !== "object" || error === null || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}
