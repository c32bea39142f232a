import { expect } from "vitest";
import { z } from "zod";
import type { JobHandlerOptions } from "../../src/http/handler-options.js";
import { createJobHandler, type JobHandler } from "../../src/http/job-handler.js";
import type { JobSource } from "../../src/http/job-source.js";

interface Described {
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, { readonly schema: { readonly $ref?: string } }>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Record<string, Described> }>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, z.core.JSONSchema.JSONSchema>> };
}

/** Everything that tests need not say: anybody may do anything, and warnings go nowhere. */
export const open: JobHandlerOptions = { authorize: () => true, log: { warn() {} } };

/** A handler whose every answer is held against the document that it serves itself. */
export function checkedHandler(source: JobSource, options: Partial<JobHandlerOptions> = {}): JobHandler {
  const handler = createJobHandler(source, { ...open, ...options });
  const base = (options.basePath ?? "/api/v1/jobs").replace(/\/$/, "");
  const served = handler(new Request(`http://api${base}/openapi.json`)).then(
    async (response) => (await response.json()) as Document,
  );
  return async (request) => {
    const response = await handler(request);
    await checkAgainst(await served, base, request, response);
    return response;
  };
}

/** What ends a stream of events: read as text, a stream that goes on would hold a test up. */
const endless = "text/event-stream";

async function checkAgainst(document: Document, base: string, request: Request, response: Response): Promise<void> {
  const path = templateOf(new URL(request.url).pathname, base);
  const operations = path === null ? undefined : document.paths[path];
  if (operations === undefined || request.method === "OPTIONS") return;
  const operation = operations[request.method.toLowerCase()];
  if (operation === undefined) {
    expect(response.status).toBe(405);
    return;
  }
  const described = operation.responses[response.status];
  if (described === undefined) throw new Error(`${request.method} ${path} answered an undescribed ${response.status}`);
  const undescribed = [...response.headers.keys()].filter((name) => !isDescribed(name, described));
  expect(undescribed).toEqual([]);
  const type = response.headers.get("content-type");
  expect(type === null ? [] : [type]).toEqual(Object.keys(described.content ?? {}));
  const name = type === null ? undefined : described.content?.[type]?.schema.$ref?.split("/").at(-1);
  if (name === undefined || type === endless || request.method === "HEAD") return;
  const schema = document.components.schemas[name] as z.core.JSONSchema.JSONSchema;
  const body = (await response.clone().json()) as object;
  z.fromJSONSchema(schema).parse(body);
  expect(Object.keys(body).filter((key) => !Object.hasOwn(schema.properties ?? {}, key))).toEqual([]);
}

function templateOf(pathname: string, base: string): string | null {
  if (pathname === `${base}/openapi.json`) return pathname;
  const [, action = ""] = /^\/[^/]+(\/events|\/cancel)?$/.exec(pathname.slice(base.length)) ?? [null, null];
  return pathname.startsWith(`${base}/`) && action !== null ? `${base}/{id}${action}` : null;
}

const general = /^(content-|vary|allow|access-control-|x-accel-buffering)/;

function isDescribed(name: string, { headers = {} }: Described): boolean {
  return (
    general.test(name) || name === "cache-control" || Object.keys(headers).some((key) => key.toLowerCase() === name)
  );
}
