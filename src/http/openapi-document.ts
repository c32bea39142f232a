import { z } from "zod";
import { type ProblemCode, statusOf } from "./problem.js";
import { methodsOf, type Route } from "./route.js";
import { cancelRequestSchema, jobSchema, problemSchema } from "./schemas.js";

/** Part of an OpenAPI document. */
export interface OpenApiObject {
  readonly [key: string]: OpenApiValue;
}
type OpenApiValue = string | number | boolean | readonly OpenApiValue[] | OpenApiObject;

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const text = { type: "string" };
const seconds = { type: "integer", minimum: 1 };
const exactly = (value: string) => ({ type: "string", const: value });
const header = (description: string, schema: OpenApiObject = text) => ({ description, schema });
const always = (description: string, schema: OpenApiObject = text) => ({ description, required: true, schema });

const etag = { ETag: always("Names this state, the seconds left apart") };
const quota = {
  RateLimit: header('What is left, as in "jobs";r=99;t=60, where a rate limit is set'),
  "RateLimit-Policy": header('The quota, as in "jobs";q=100;w=60, where a rate limit is set'),
};
const caching = (value: string) => ({ "Cache-Control": always("Who may keep it", exactly(value)) });

/** What is answered before requests are counted. */
const uncounted: readonly ProblemCode[] = ["CROSS_ORIGIN"];
const untilLater: readonly ProblemCode[] = ["RATE_LIMITED", "STORAGE_UNAVAILABLE"];

function problems(...codes: readonly ProblemCode[]): OpenApiObject {
  const answers = codes.map((code) => {
    const headers = {
      ...caching("no-store"),
      ...(uncounted.includes(code) ? {} : quota),
      ...(untilLater.includes(code) ? { "Retry-After": always("Seconds after which to ask again", seconds) } : {}),
    };
    return [
      statusOf(code),
      { description: code, headers, content: { "application/problem+json": { schema: ref("Problem") } } },
    ];
  });
  return Object.fromEntries(answers);
}

const everywhere = ["JOB_NOT_FOUND", "RATE_LIMITED", "INTERNAL", "STORAGE_UNAVAILABLE"] as const;
const job = { "application/json": { schema: ref("Job") } };

const state = {
  ...etag,
  ...caching("private, no-cache"),
  "Retry-After": header("Seconds after which to ask again, until the job has ended", seconds),
  ...quota,
};
const read = {
  operationId: "getJob",
  summary: "The state of a job",
  parameters: [{ name: "If-None-Match", in: "header", schema: text, description: "An ETag of before" }],
  responses: {
    200: { description: "The job", headers: state, content: job },
    304: { description: "Unchanged", headers: state },
    ...problems(...everywhere),
  },
};

const watch = {
  operationId: "watchJob",
  summary: "The states of a job as Server-Sent Events: the current one, then each newer one, until it has ended",
  description:
    "The data of each message is a Job. After the last one the stream ends; a browser's reconnect answers 204.",
  parameters: [{ name: "Last-Event-ID", in: "header", schema: text, description: "The id of the last event seen" }],
  responses: {
    200: {
      description: "The events",
      headers: {
        ...caching("private, no-cache, no-transform"),
        "X-Accel-Buffering": always("Keeps nginx from holding events back", exactly("no")),
        ...quota,
      },
      content: { "text/event-stream": { schema: text } },
    },
    204: {
      description: "The end was seen already: do not reconnect",
      headers: { ...caching("private, no-cache"), ...quota },
    },
    ...problems(...everywhere),
  },
};

const cancel = {
  operationId: "cancelJob",
  summary: "Asks for a job to be cancelled",
  description: "A job that no worker runs is cancelled at once; a running one ends when its worker heeds the request.",
  requestBody: { required: false, content: { "application/json": { schema: ref("CancelRequest") } } },
  responses: {
    202: {
      description: "The job, with the request noted",
      headers: { ...caching("no-store"), ...quota },
      content: job,
    },
    ...problems(
      "INVALID_ARGUMENT",
      "CROSS_ORIGIN",
      "JOB_FINISHED",
      "CONTENT_TOO_LARGE",
      "UNSUPPORTED_MEDIA_TYPE",
      ...everywhere,
    ),
  },
};

const describe = {
  operationId: "getDescription",
  summary: "This document",
  responses: {
    200: {
      description: "OpenAPI 3.1",
      headers: caching("no-cache"),
      content: { "application/json": { schema: { type: "object" } } },
    },
  },
};

/** The OpenAPI 3.1 document of the handler under a path. */
export function openApiDocument(basePath: string): OpenApiObject {
  const id = { name: "id", in: "path", required: true, schema: text, description: "As the id column holds it" };
  return {
    openapi: "3.1.1",
    info: {
      title: "Job progress",
      version: "1.0.0",
      description: "Where a method is not described, a Problem with status 405 and Allow is answered.",
    },
    paths: {
      [`${basePath}/{id}`]: { parameters: [id], get: read, head: headOf(read, "headJob"), options: optionsOf("job") },
      [`${basePath}/{id}/events`]: { parameters: [id], get: watch, options: optionsOf("events") },
      [`${basePath}/{id}/cancel`]: { parameters: [id], post: cancel, options: optionsOf("cancel") },
      [`${basePath}/openapi.json`]: {
        get: describe,
        head: headOf(describe, "headDescription"),
        options: optionsOf("document"),
      },
    },
    components: {
      schemas: {
        Job: schemaOf(jobSchema),
        Problem: schemaOf(problemSchema),
        CancelRequest: schemaOf(cancelRequestSchema),
      },
    },
  };
}

function headOf(operation: typeof read | typeof describe, operationId: string): OpenApiObject {
  return { ...operation, operationId, summary: `${operation.summary}, without the body` };
}

function optionsOf(kind: Route["kind"]): OpenApiObject {
  const allowed = exactly(methodsOf(kind).join(", "));
  return {
    operationId: `${kind}Options`,
    summary: "What this path answers",
    responses: { 204: { description: "The methods", headers: { Allow: always("Methods of this path", allowed) } } },
  };
}

function schemaOf(schema: z.ZodType): OpenApiObject {
  const {
    $schema: _,
    id: __,
    ...rest
  } = z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    // The pattern beside "date-time" says the same at length.
    override: ({ jsonSchema }) => {
      if (jsonSchema.format === "date-time") delete jsonSchema.pattern;
    },
  });
  return rest as OpenApiObject;
}
