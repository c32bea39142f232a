import { expect, test, vi } from "vitest";
import { WorkerProgressError } from "../../src/domain/errors.js";
import { createJobHandler } from "../../src/http/job-handler.js";
import { ask, bodyOf } from "./ask.js";
import { checkedHandler, open } from "./checked-handler.js";
import { FakeJobs, view } from "./fake-jobs.js";

function jobs(...views: readonly ReturnType<typeof view>[]): FakeJobs {
  const source = new FakeJobs();
  for (const each of views) source.set(each);
  return source;
}

test("GET answers the read model exactly, and when to ask again", async () => {
  const response = await ask(checkedHandler(jobs(view())), "123");
  expect(response.status).toBe(200);
  expect(await bodyOf(response)).toEqual(view());
  expect(response.headers.get("retry-after")).toBe("2");
  expect(response.headers.get("cache-control")).toContain("no-cache");
});

test("the length is that of the bytes, and the tag is weak, as the seconds left are no part of it", async () => {
  const { headers } = await ask(checkedHandler(jobs(view({ output: "Größe" }))), "123");
  expect(headers.get("content-length")).toBe(String(Buffer.byteLength(JSON.stringify(view({ output: "Größe" })))));
  expect(headers.get("etag")).toMatch(/^W\/"[\w-]{16}"$/);
});

test("a finished job is not worth asking for again", async () => {
  const response = await ask(checkedHandler(jobs(view({ status: "completed" }, 100))), "123");
  expect(response.headers.get("retry-after")).toBeNull();
});

test("an ETag that is still right answers 304, until the job has moved", async () => {
  const source = jobs(view());
  const handler = checkedHandler(source);
  const etag = String((await ask(handler, "123")).headers.get("etag"));
  const again = (tags: string) => ask(handler, "123", { headers: { "if-none-match": tags } });
  for (const tags of [etag, etag.slice(2), `"other", ${etag}`, "*"]) expect((await again(tags)).status).toBe(304);
  expect((await again(etag)).headers.get("etag")).toBe(etag);
  expect((await again('"other"')).status).toBe(200);
  source.set(view({}, 51));
  expect((await again(etag)).status).toBe(200);
});

test("seconds that pass by themselves leave the ETag as it is", async () => {
  const source = jobs(view({ rate: 1, eta: 50 }));
  const handler = checkedHandler(source);
  const etag = (await ask(handler, "123")).headers.get("etag");
  source.set(view({ rate: 1, eta: 49 }));
  expect((await ask(handler, "123")).headers.get("etag")).toBe(etag);
});

test("HEAD answers the header of GET without a body", async () => {
  const handler = checkedHandler(jobs(view()));
  const [head, get] = [await ask(handler, "123", { method: "HEAD" }), await ask(handler, "123")];
  expect([...head.headers]).toEqual([...get.headers]);
  expect(head.status).toBe(200);
  expect(await head.text()).toBe("");
  const missing = await ask(handler, "404", { method: "HEAD" });
  expect([missing.status, await missing.text()]).toEqual([404, ""]);
});

test("other methods answer 405 and what is allowed", async () => {
  const handler = checkedHandler(jobs(view()));
  for (const [path, method, allow] of [
    ["123", "POST", "GET, HEAD, OPTIONS"],
    ["123", "DELETE", "GET, HEAD, OPTIONS"],
    ["123", "PROPFIND", "GET, HEAD, OPTIONS"],
    ["123/events", "HEAD", "GET, OPTIONS"],
    ["123/cancel", "GET", "POST, OPTIONS"],
    ["openapi.json", "PUT", "GET, HEAD, OPTIONS"],
  ] as const) {
    const response = await ask(handler, path, { method });
    expect([path, method, response.status, response.headers.get("allow")]).toEqual([path, method, 405, allow]);
  }
});

test.each([
  ["an integer", "42"],
  ["a text with a slash", "renders/2024"],
  ["a text with spaces and signs", "Größe 100%?&#+"],
  ["what climbs in a file system", "../../etc/passwd"],
  ["what is encoded once more", "%34%32"],
  ["a text of 512 characters", "ü".repeat(512)],
])("%s is a job's id when it is percent-encoded", async (_, id) => {
  const handler = checkedHandler(jobs(view({ id })));
  const response = await ask(handler, encodeURIComponent(id));
  expect([response.status, (await bodyOf(response)).id]).toEqual([200, id]);
});

test.each([
  ["NUL", "%00"],
  ["NUL within", "1%0023"],
  ["513 characters", "x".repeat(513)],
  ["10 kB", "x".repeat(10_000)],
  ["10 kB encoded", "%41".repeat(3_400)],
  ["no UTF-8", "%ff"],
  ["a lone surrogate", "%ed%a0%80"],
  ["half an escape", "%4"],
])("an id of %s names no job, and nobody is asked about it", async (_, segment) => {
  const source = jobs(view());
  const asked: string[] = [];
  const handler = checkedHandler(source, { authorize: (_request, id) => asked.push(id) > 0 });
  for (const path of [segment, `${segment}/events`]) {
    const response = await ask(handler, path);
    expect([response.status, (await bodyOf(response)).code]).toEqual([404, "JOB_NOT_FOUND"]);
  }
  expect((await ask(handler, `${segment}/cancel`, { method: "POST" })).status).toBe(404);
  expect([asked, source.asked]).toEqual([[], []]);
});

test.each(["", "123/", "/123", "123//", "123/events/", "123/other", "123/events/1", "../123", "%2e%2e/jobs/123/x"])(
  "there is nothing at %j",
  async (path) => {
    const response = await ask(checkedHandler(jobs(view())), path);
    expect([response.status, (await bodyOf(response)).code]).toEqual([404, "NOT_FOUND"]);
  },
);

test("an id that is encoded twice is not decoded twice", async () => {
  const source = jobs(view({ id: 42 }));
  expect((await ask(checkedHandler(source), "%2534%2532")).status).toBe(404);
  expect(source.asked).toEqual(["%34%32"]);
});

test("the base path is an option", async () => {
  const source = jobs(view());
  for (const basePath of ["/v2/renders", "/v2/renders/"]) {
    const handler = checkedHandler(source, { basePath });
    expect((await handler(new Request("http://api/v2/renders/123"))).status).toBe(200);
    expect((await handler(new Request("http://api/api/v1/jobs/123"))).status).toBe(404);
  }
  expect((await checkedHandler(source, { basePath: "" })(new Request("http://api/123"))).status).toBe(200);
});

test.each(["/größe/jobs", "/jobs/{tenant}", "/v1/../jobs"])("the base path may be %s", async (basePath) => {
  const handler = createJobHandler(jobs(view()), { ...open, basePath });
  expect((await handler(new Request(`http://api${basePath}/123`))).status).toBe(200);
  const { paths } = await bodyOf(await handler(new Request(`http://api${basePath}/openapi.json`)));
  expect(Object.keys(paths as object)).toContain(`${new URL(`http://api${basePath}`).pathname}/{id}`);
});

test("what a client can mend is nothing to warn of", async () => {
  const warn = vi.fn();
  const handler = checkedHandler(jobs(view({ status: "completed" }, 100)), { log: { warn } });
  await ask(handler, "123/cancel", { method: "POST" });
  await ask(handler, "404/events");
  expect(warn).not.toHaveBeenCalled();
});

const secret = 'connect to postgres://worker:secret@db failed, relation "jobs"';

test.each([
  ["INVALID_ARGUMENT", 404, "JOB_NOT_FOUND"],
  ["JOB_NOT_FOUND", 404, "JOB_NOT_FOUND"],
  ["JOB_FINISHED", 409, "JOB_FINISHED"],
  ["CONFLICT", 503, "STORAGE_UNAVAILABLE"],
  ["STORAGE_UNAVAILABLE", 503, "STORAGE_UNAVAILABLE"],
  ["CAPACITY_EXCEEDED", 503, "STORAGE_UNAVAILABLE"],
  ["REPORTER_CLOSED", 503, "STORAGE_UNAVAILABLE"],
  ["SCHEMA_MISMATCH", 500, "INTERNAL"],
] as const)("%s is answered %i without its text", async (thrown, status, code) => {
  const source = jobs(view());
  source.failure = new WorkerProgressError(thrown, secret);
  const response = await ask(checkedHandler(source), "123/cancel", { method: "POST" });
  const body = await response.text();
  expect([response.status, JSON.parse(body).code]).toEqual([status, code]);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(response.headers.has("retry-after")).toBe(status === 503);
  expect(JSON.parse(body).type).toBe(`urn:worker-progress:problem:${code.toLowerCase().replaceAll("_", "-")}`);
  expect(body).not.toMatch(/secret|postgres|relation/);
});

test.each([[new Error(secret)], [secret], [undefined], [{ message: secret }]])(
  "what is no error of ours is a 500 that says nothing: %o",
  async (failure) => {
    const warnings: unknown[] = [];
    const source = jobs(view());
    source.failure = failure ?? Symbol("nothing");
    const handler = checkedHandler(source, { log: { warn: (...told) => warnings.push(told) } });
    for (const path of ["123", "123/events"]) {
      const response = await ask(handler, path);
      const body = await response.text();
      expect([response.status, JSON.parse(body).code]).toEqual([500, "INTERNAL"]);
      expect(body).not.toMatch(/secret|postgres|at /);
    }
    expect(warnings).toHaveLength(2);
  },
);
