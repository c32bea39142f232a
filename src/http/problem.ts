import { jsonResponse } from "./json-response.js";

/** What can go wrong. One entry answers every job that is missing, malformed or hidden: they must not be told apart. */
const problems = {
  INVALID_ARGUMENT: { status: 400, title: "Bad request", detail: "The request cannot be understood" },
  CROSS_ORIGIN: { status: 403, title: "Cross-origin request", detail: "This origin may not change jobs" },
  NOT_FOUND: { status: 404, title: "Not found", detail: "There is nothing at this path" },
  JOB_NOT_FOUND: { status: 404, title: "Job not found", detail: "There is no such job, or it is not yours to see" },
  METHOD_NOT_ALLOWED: { status: 405, title: "Method not allowed", detail: "This path does not answer this method" },
  JOB_FINISHED: { status: 409, title: "Job finished", detail: "The job is finished and cannot be cancelled any more" },
  CONTENT_TOO_LARGE: { status: 413, title: "Content too large", detail: "The body has more than 4096 bytes" },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    title: "Unsupported media type",
    detail: "The body must be application/json",
  },
  RATE_LIMITED: { status: 429, title: "Too many requests", detail: "The quota is used up for now" },
  INTERNAL: { status: 500, title: "Internal error", detail: "The request could not be answered" },
  STORAGE_UNAVAILABLE: { status: 503, title: "Storage unavailable", detail: "The jobs are out of reach for now" },
} as const;

/** The `code` of a problem, which programs test. */
export type ProblemCode = keyof typeof problems;

/** Every code, in the order of its status. */
export const problemCodes = Object.keys(problems) as [ProblemCode, ...ProblemCode[]];

/** What a problem says besides its code. */
export interface ProblemDetails {
  readonly detail?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error as RFC 9457 writes it. */
export function problemResponse(code: ProblemCode, details: ProblemDetails = {}): Response {
  const { status, title, detail } = problems[code];
  const body = { type: problemType(code), title, status, detail: details.detail ?? detail, code };
  return jsonResponse(body, {
    status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...details.headers },
  });
}

/** The status that a problem is answered with. */
export function statusOf(code: ProblemCode): number {
  return problems[code].status;
}

/** The URI that names a kind of problem. It names, and leads nowhere. */
export function problemType(code: ProblemCode): string {
  return `urn:worker-progress:problem:${code.toLowerCase().replaceAll("_", "-")}`;
}
