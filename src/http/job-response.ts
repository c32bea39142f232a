import { isTerminal } from "../domain/job-status.js";
import type { JobView } from "../domain/job-view.js";
import { fingerprint } from "./job-version.js";
import { jsonResponse } from "./json-response.js";

/** Seconds after which asking again is worth it: a running job is written at most every two seconds. */
const retryAfterSeconds = "2";

/** A job as JSON, or 304 when `If-None-Match` names the state it is in. */
export function jobResponse(view: JobView, request: Request): Response {
  // Weak, since two answers with one tag may differ in the seconds left.
  const etag = `W/"${fingerprint(view)}"`;
  const headers: Record<string, string> = { etag, "cache-control": "private, no-cache" };
  if (!isTerminal(view.status)) headers["retry-after"] = retryAfterSeconds;
  return matches(request.headers.get("if-none-match"), etag)
    ? new Response(null, { status: 304, headers })
    : jsonResponse(view, { headers });
}

function matches(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  const opaque = etag.slice(2);
  return ifNoneMatch.split(",").some((tag) => ["*", opaque, etag].includes(tag.trim()));
}
