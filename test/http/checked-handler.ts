import { expect } from "vitest";
import { z } from "zod";
import type { JobHandlerOptions } from "../../src/http/handler-options.js";
import { createJobHandler, type JobHandler } from "../../src/http/job-handler.js";
import type { JobSource } from "../../src/http/job-source.js";

interface DescribedHeader {
  readonly required?: boolean;
  readonly schema: z.core.JSONSchema.JSONSchema;
}
interface Described {
  readonly headers?: Readonly<Record<string, DescribedHeader>>;
  readonly content?: Readonly<Record<string, { readonly schema: { readonly $ref?: string } }>>;
}
type Operations = Readonly<Record<string, { readonly responses: Readonly<Record<string, Described>> }>>;

/** What is read of the document that a handler serves. */
export interface Document {
  readonly paths: Readonly<Record<string, Operations>>;
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
  if (operations === undefined) return;
  const operation = operations[request.method.toLowerCase()];
  if (operation === undefined) {
    const methods = Object.keys(operations).filter((key) => key !== "parameters");
    expect([response.status, response.headers.get("allow")]).toEqual([405, methods.join(", ").toUpperCase()]);
    return;
  }
  const described = operation.responses[response.status];
  if (described === undefined) throw new Error(`${request.method} ${path} answered an undescribed ${response.status}`);
  checkHeaders(response.headers, described.headers ?? {});
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

/** What no answer need describe: `content` does, or it is what browsers ask for on behalf of pages elsewhere. */
const general = /^(content-type|content-length|vary|access-control-.*)$/;

/** The headers of an answer that are its own. */
export function ownHeaders(headers: Headers): readonly string[] {
  return [...headers.keys()].filter((name) => !general.test(name));
}

function checkHeaders(headers: Headers, described: Readonly<Record<string, DescribedHeader>>): void {
  const names = Object.keys(described).map((name) => name.toLowerCase());
  expect(ownHeaders(headers).filter((name) => !names.includes(name))).toEqual([]);
  for (const [name, { required = false, schema }] of Object.entries(described)) {
    const value = headers.get(name);
    if (value === null) expect([name, required]).toEqual([name, false]);
    else z.fromJSONSchema(schema).parse(schema.type === "integer" ? Number(value) : value);
  }
}
