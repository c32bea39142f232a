import { expect, test } from "vitest";
import type { CorsOptions } from "../../src/http/cors.js";
import { createJobHandler } from "../../src/http/job-handler.js";
import { ask } from "./ask.js";
import { checkedHandler, open } from "./checked-handler.js";
import { FakeJobs, view } from "./fake-jobs.js";

const app = "https://app.example";
const preflight = { method: "OPTIONS", headers: { origin: app, "access-control-request-method": "POST" } };

function handlerFor(cors?: CorsOptions) {
  const source = new FakeJobs();
  source.set(view());
  return checkedHandler(source, cors === undefined ? {} : { cors });
}

test("without cors a page of another origin gets no permission", async () => {
  const handler = handlerFor();
  for (const init of [preflight, { headers: { origin: app } }]) {
    const { headers } = await ask(handler, init === preflight ? "123/cancel" : "123", init);
    expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  }
  expect((await ask(handler, "123/cancel", preflight)).headers.get("allow")).toBe("POST, OPTIONS");
});

test("a listed origin may ask, read and cancel; the answer is its own", async () => {
  const handler = handlerFor({ origins: [app], credentials: true });
  const permission = (await ask(handler, "123/cancel", preflight)).headers;
  expect(permission.get("access-control-allow-origin")).toBe(app);
  expect(permission.get("access-control-allow-methods")).toBe("POST, OPTIONS");
  expect(permission.get("access-control-allow-headers")).toContain("content-type");
  expect(permission.get("access-control-max-age")).toBe("600");
  const headers = { origin: app, "sec-fetch-site": "cross-site" };
  const read = await ask(handler, "123", { headers });
  expect(read.headers.get("access-control-allow-origin")).toBe(app);
  expect(read.headers.get("access-control-allow-credentials")).toBe("true");
  expect(read.headers.get("access-control-expose-headers")).toBe("ETag, Retry-After, RateLimit, RateLimit-Policy");
  expect(read.headers.get("vary")).toBe("Origin");
  expect((await ask(handler, "123/cancel", { method: "POST", headers })).status).toBe(202);
});

test("what pages may send, and for how long a browser remembers it, are options", async () => {
  const handler = handlerFor({ origins: [app], allowedHeaders: ["x-api-key", "content-type"], maxAgeSeconds: 5 });
  const { headers } = await ask(handler, "123/cancel", preflight);
  expect(headers.get("access-control-allow-headers")).toBe("x-api-key, content-type");
  expect(headers.get("access-control-max-age")).toBe("5");
  expect(headers.get("access-control-allow-credentials")).toBeNull();
});

test("an origin that is not listed is told of nothing that it may do", async () => {
  const headers = { ...preflight.headers, origin: "https://evil.example" };
  const answer = await ask(handlerFor({ origins: [app] }), "123/cancel", { method: "OPTIONS", headers });
  expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
});

test("where every origin may read, the answer is the same for all, and a cache may mix them up", async () => {
  const handler = handlerFor({ origins: "*" });
  for (const headers of [{ origin: app }, {}]) {
    const answer = await ask(handler, "123", { headers });
    expect([answer.headers.get("access-control-allow-origin"), answer.headers.get("vary")]).toEqual(["*", null]);
  }
});

test("an origin that is not listed gets nothing, and no cache may mix the two up", async () => {
  const { headers } = await ask(handlerFor({ origins: [app] }), "123", { headers: { origin: `${app}.evil` } });
  expect([headers.get("access-control-allow-origin"), headers.get("vary")]).toEqual([null, "Origin"]);
});

test("what is unchanged is told to the page, too", async () => {
  const headers = { origin: app, "if-none-match": "*" };
  const answer = await ask(handlerFor({ origins: [app] }), "123", { headers });
  expect([answer.status, answer.headers.get("access-control-allow-origin"), answer.headers.get("vary")]).toEqual([
    304,
    app,
    "Origin",
  ]);
});

test("errors can be read by the page, too", async () => {
  const { status, headers } = await ask(handlerFor({ origins: "*" }), "404", { headers: { origin: app } });
  expect([status, headers.get("access-control-allow-origin")]).toEqual([404, "*"]);
});

test("every origin and cookies do not go together", () => {
  const cors: CorsOptions = { origins: "*", credentials: true };
  expect(() => createJobHandler(new FakeJobs(), { ...open, cors })).toThrow(/credentials need origins/);
});

test.each(["https://app.example/", "https://App.example", "app.example", "*", "null"])(
  "an origin that no browser sends, as %s in a list, is an error",
  (origin) => {
    const cors: CorsOptions = { origins: [app, origin] };
    expect(() => createJobHandler(new FakeJobs(), { ...open, cors })).toThrow(/option cors\.origins.*: must be as in/);
  },
);
