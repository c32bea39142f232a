import { askPermission, type JobAction } from "./authorization.js";
import { readCancelRequest } from "./cancel-request.js";
import { originPolicy } from "./cors.js";
import { eventStream } from "./event-stream.js";
import { failureResponse } from "./failure-response.js";
import { type HandlerSettings, type JobHandlerOptions, parseHandlerOptions } from "./handler-options.js";
import { jobResponse } from "./job-response.js";
import type { JobSource } from "./job-source.js";
import { jsonResponse } from "./json-response.js";
import { openApiDocument } from "./openapi-document.js";
import { problemResponse } from "./problem.js";
import { rateLimiter } from "./rate-limit.js";
import { type JobRoute, methodsOf, routeOf } from "./route.js";

/** Answers a request, and never rejects. */
export type JobHandler = (request: Request) => Promise<Response>;

type NamedRoute = JobRoute & { readonly jobId: string };
type Answer<R extends JobRoute = JobRoute> = (request: Request, route: R) => Promise<Response>;

const actions = { job: "read", events: "watch", cancel: "cancel" } as const satisfies Record<string, JobAction>;

/**
 * Answers `GET {basePath}/{id}`, `GET {basePath}/{id}/events` (Server-Sent Events), `POST {basePath}/{id}/cancel` and
 * `GET {basePath}/openapi.json`. A job that `authorize` denies is answered as one that does not exist.
 *
 * @throws TypeError when `authorize` is left out, and for an unknown or wrong option, which it names
 * @throws {MISSING_DEPENDENCY} when there is a `rateLimit` and rate-limiter-flexible is not installed
 * @example
 * const handler = createJobHandler(reporter, { authorize: (request) => request.headers.get("x-api-key") === key });
 */
export function createJobHandler(reporter: JobSource, options: JobHandlerOptions): JobHandler {
  const settings = parseHandlerOptions(options);
  const { basePath, log } = settings;
  const origins = originPolicy(settings.cors);
  const document = JSON.stringify(openApiDocument(basePath));
  const answer = limited(settings, authorized(settings, jobAnswer(reporter, settings)));

  const respond = async (request: Request): Promise<Response> => {
    const route = routeOf(new URL(request.url).pathname, basePath);
    if (route === null) return problemResponse("NOT_FOUND");
    const allowed = methodsOf(route.kind);
    if (request.method === "OPTIONS") return origins.preflight(request, allowed);
    if (!allowed.includes(request.method)) {
      return problemResponse("METHOD_NOT_ALLOWED", { headers: { allow: allowed.join(", ") } });
    }
    if (route.kind === "document") return jsonResponse(document, { headers: { "cache-control": "no-cache" } });
    if (route.kind === "cancel" && origins.refuses(request)) return problemResponse("CROSS_ORIGIN");
    return answer(request, route);
  };

  return async (request) => {
    const response = await respond(request).catch((error: unknown) => failureResponse(error, request, log));
    origins.apply(request, response);
    return request.method === "HEAD" ? new Response(null, response) : response;
  };
}

function limited({ rateLimit, log }: HandlerSettings, answer: Answer): Answer {
  if (rateLimit === undefined) return answer;
  const count = rateLimiter(rateLimit, log);
  return async (request, route) => {
    const { allowed, headers } = await count(request);
    if (!allowed) return problemResponse("RATE_LIMITED", { headers });
    const response = await answer(request, route).catch((error: unknown) => failureResponse(error, request, log));
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  };
}

function authorized(settings: HandlerSettings, answer: Answer<NamedRoute>): Answer {
  const { authorize, authorizeTimeoutMs: timeoutMs, log } = settings;
  const mayDo = askPermission(authorize, { timeoutMs, log });
  return async (request, { kind, jobId }) => {
    if (jobId === null || !(await mayDo(request, jobId, actions[kind]))) return problemResponse("JOB_NOT_FOUND");
    return answer(request, { kind, jobId });
  };
}

function jobAnswer(reporter: JobSource, { heartbeatMs, log }: HandlerSettings): Answer<NamedRoute> {
  return async (request, { kind, jobId }) => {
    switch (kind) {
      case "events":
        return eventStream(reporter, jobId, request, { heartbeatMs, log });
      case "cancel":
        return cancel(reporter, jobId, request);
      case "job": {
        const view = await reporter.getJob(jobId);
        return view === null ? problemResponse("JOB_NOT_FOUND") : jobResponse(view, request);
      }
    }
  };
}

async function cancel(reporter: JobSource, jobId: string, request: Request): Promise<Response> {
  const asked = await readCancelRequest(request);
  if (!asked.ok) return asked.response;
  await reporter.requestCancel(jobId, asked.reason);
  const view = await reporter.getJob(jobId);
  if (view === null) return problemResponse("JOB_NOT_FOUND");
  return jsonResponse(view, { status: 202, headers: { "cache-control": "no-store" } });
}
