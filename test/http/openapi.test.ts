import { expect, test } from "vitest";
import { WorkerProgressError } from "../../src/domain/errors.js";
import { eventId } from "../../src/http/job-version.js";
import { openApiDocument } from "../../src/http/openapi-document.js";
import { ask, bodyOf } from "./ask.js";
import { checkedHandler, type Document, ownHeaders } from "./checked-handler.js";
import { FakeJobs, view } from "./fake-jobs.js";

// `npm run test:only -- test/http/openapi.test.ts -u` writes the file.
test("docs/schema/openapi.json is what the handler serves", async () => {
  const served = await bodyOf(await ask(checkedHandler(new FakeJobs()), "openapi.json"));
  expect(served).toEqual(JSON.parse(JSON.stringify(openApiDocument("/api/v1/jobs"))));
  await expect(`${JSON.stringify(served, null, 2)}\n`).toMatchFileSnapshot("../../docs/schema/openapi.json");
});

test("the document can be read by anybody, and names the path that it is served under", async () => {
  const handler = checkedHandler(new FakeJobs(), { authorize: () => false, basePath: "/v2/renders" });
  const served = await bodyOf(await handler(new Request("http://api/v2/renders/openapi.json")));
  expect(served.openapi).toBe("3.1.1");
  expect(Object.keys(served.paths as object)).toContain("/v2/renders/{id}/events");
});

test("every reference in the document leads somewhere", () => {
  const { components } = openApiDocument("") as { components: { schemas: Record<string, unknown> } };
  const references = [...JSON.stringify(openApiDocument("")).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
  expect(references.length).toBeGreaterThan(5);
  expect(references.map(([, name]) => name).filter((name) => !Object.hasOwn(components.schemas, String(name)))).toEqual(
    [],
  );
});

const running = view();
const ended = view({ status: "completed" }, 100);

/** Jobs in each state that makes another answer, and the quota of who asks for them. */
const states: Readonly<Record<string, { readonly source: () => FakeJobs; readonly points?: number }>> = {
  running: { source: () => jobs(running) },
  ended: { source: () => jobs(ended) },
  missing: { source: () => jobs() },
  away: { source: () => jobs(running, new WorkerProgressError("STORAGE_UNAVAILABLE", "The database is gone")) },
  broken: { source: () => jobs(running, new Error("A bug")) },
  "asked for too often": { source: () => jobs(running), points: 1 },
};

function jobs(state?: typeof running, failure: unknown = null): FakeJobs {
  const source = new FakeJobs();
  if (state !== undefined) source.set(state);
  source.failure = failure;
  return source;
}

const json = { "content-type": "application/json" };
const requests: readonly (readonly [template: string, init: RequestInit])[] = [
  ["{id}", { method: "GET" }],
  ["{id}", { method: "HEAD" }],
  ["{id}", { method: "GET", headers: { "if-none-match": "*" } }],
  ["{id}", { method: "HEAD", headers: { "if-none-match": "*" } }],
  ["{id}", { method: "OPTIONS" }],
  ["{id}/events", { method: "GET" }],
  ["{id}/events", { method: "GET", headers: { "last-event-id": eventId(ended) } }],
  ["{id}/events", { method: "OPTIONS" }],
  ["{id}/cancel", { method: "POST" }],
  ["{id}/cancel", { method: "POST", headers: { "sec-fetch-site": "cross-site" } }],
  ["{id}/cancel", { method: "POST", headers: json, body: "[]" }],
  ["{id}/cancel", { method: "POST", headers: json, body: `{"reason":"${"x".repeat(5_000)}"}` }],
  ["{id}/cancel", { method: "POST", body: "a text" }],
  ["{id}/cancel", { method: "OPTIONS" }],
  ["openapi.json", { method: "GET" }],
  ["openapi.json", { method: "HEAD" }],
  ["openapi.json", { method: "OPTIONS" }],
];

test("each answer in the document, and each header of it, is one that the handler gives", async () => {
  const given = new Map<string, Set<string>>();
  for (const { source, points = 1_000 } of Object.values(states)) {
    const handler = checkedHandler(source(), { rateLimit: { points, durationSeconds: 60, key: () => "a" } });
    await ask(handler, "404");
    for (const [template, init] of requests) {
      const { status, headers, body } = await ask(handler, template.replace("{id}", "123"), init);
      await body?.cancel();
      const answer = `${init.method} /api/v1/jobs/${template} ${status}`;
      given.set(answer, new Set([...(given.get(answer) ?? []), ...ownHeaders(headers)]));
    }
  }
  const written = [...given].map(([answer, headers]) => `${answer}: ${[...headers].sort().join(" ")}`);
  expect(written.sort()).toEqual(answersIn(openApiDocument("/api/v1/jobs") as unknown as Document));
});

function answersIn({ paths }: Document): readonly string[] {
  const answers = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { responses = {} }]) =>
      Object.entries(responses).map(([status, { headers = {} }]) => {
        const names = Object.keys(headers).map((name) => name.toLowerCase());
        return `${method.toUpperCase()} ${path} ${status}: ${names.sort().join(" ")}`;
      }),
    ),
  );
  return answers.sort();
}
