import { z } from "zod";
import { type ProblemCode, statusOf } from "./problem.js";
import { cancelRequestSchema, jobSchema, problemSchema } from "./schemas.js";

/** Part of an OpenAPI document. */
export interface OpenApiObject {
  readonly [key: string]: OpenApiValue;
}
type OpenApiValue = string | number | boolean | readonly OpenApiValue[] | OpenApiObject;

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const text = { type: "string" };
const header = (description: string, schema: OpenApiObject = text) => ({ description, schema });

const etag = { ETag: header("Names this state, the seconds left apart") };
const retryAfter = { "Retry-After": header("Seconds after which to ask again", { type: "integer", minimum: 1 }) };
const quota = {
  RateLimit: header('What is left, as in "jobs";r=99;t=60, where a rate limit is set'),
  "RateLimit-Policy": header('The quota, as in "jobs";q=100;w=60, where a rate limit is set'),
};

function problems(...codes: readonly ProblemCode[]): OpenApiObject {
  const answers = [...codes].map((code) => {
    const again = code === "RATE_LIMITED" || code === "STORAGE_UNAVAILABLE";
    const headers = { ...quota, ...(again ? retryAfter : {}) };
    return [
      statusOf(code),
      { description: code, headers, content: { "application/problem+json": { schema: ref("Problem") } } },
    ];
  });
  return Object.fromEntries(answers);
}

const everywhere = ["JOB_NOT_FOUND", "METHOD_NOT_ALLOWED", "RATE_LIMITED", "INTERNAL", "STORAGE_UNAVAILABLE"] as const;
const job = { "application/json": { schema: ref("Job") } };
const caching = { "Cache-Control": header("private, no-cache") };

const read = {
  operationId: "getJob",
  summary: "The state of a job",
  parameters: [{ name: "If-None-Match", in: "header", schema: text, description: "An ETag of before" }],
  responses: {
    200: { description: "The job", headers: { ...etag, ...caching, ...retryAfter, ...quota }, content: job },
    304: { description: "Unchanged", headers: { ...etag, ...caching, ...retryAfter, ...quota } },
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
      headers: { ...caching, ...quota },
      content: { "text/event-stream": { schema: text } },
    },
    204: { description: "The end was seen already: do not reconnect", headers: { ...caching, ...quota } },
    ...problems(...everywhere),
  },
};

const cancel = {
  operationId: "cancelJob",
  summary: "Asks for a job to be cancelled",
  description: "A job that no worker runs is cancelled at once; a running one ends when its worker heeds the request.",
  requestBody: { required: false, content: { "application/json": { schema: ref("CancelRequest") } } },
  responses: {
    202: { description: "The job, with the request noted", headers: { ...caching, ...quota }, content: job },
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

const description = {
  operationId: "getDescription",
  summary: "This document",
  responses: {
    200: {
      description: "OpenAPI 3.1",
      headers: caching,
      content: { "application/json": { schema: { type: "object" } } },
    },
    ...problems("METHOD_NOT_ALLOWED"),
  },
};

/** The OpenAPI 3.1 document of the handler under a path. */
export function openApiDocument(basePath: string): OpenApiObject {
  const id = { name: "id", in: "path", required: true, schema: text, description: "As the id column holds it" };
  return {
    openapi: "3.1.1",
    info: { title: "Job progress", version: "1.0.0" },
    paths: {
      [`${basePath}/{id}`]: { parameters: [id], get: read, head: headOf(read) },
      [`${basePath}/{id}/events`]: { parameters: [id], get: watch },
      [`${basePath}/{id}/cancel`]: { parameters: [id], post: cancel },
      [`${basePath}/openapi.json`]: { get: description },
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

function headOf(operation: typeof read): OpenApiObject {
  return { ...operation, operationId: "headJob", summary: `${operation.summary}, without the body` };
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
