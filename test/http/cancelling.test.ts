import { expect, test } from "vitest";
import { ask, bodyOf } from "./ask.js";
import { checkedHandler } from "./checked-handler.js";
import { FakeJobs, view } from "./fake-jobs.js";

const json = { "content-type": "application/json" };

function running(): FakeJobs {
  const source = new FakeJobs();
  source.set(view());
  return source;
}

test.each([
  ["no body", {}, undefined],
  ["an empty body of JSON", { headers: json, body: "" }, undefined],
  ["an empty object", { headers: json, body: "{}" }, undefined],
  ["a reason", { headers: json, body: '{"reason":"Wrong file"}' }, "Wrong file"],
  ["a charset", { headers: { "content-type": "Application/JSON; charset=utf-8" }, body: '{"reason":"ü"}' }, "ü"],
  ["4096 bytes", { headers: json, body: `{"reason":"${"x".repeat(4_083)}"}` }, "x".repeat(4_083)],
])("POST with %s asks for the job to be cancelled", async (_, init, reason) => {
  const source = running();
  const response = await ask(checkedHandler(source), "123/cancel", { method: "POST", ...init });
  expect([response.status, await bodyOf(response)]).toEqual([202, view({ cancel_requested: true })]);
  expect(source.cancellations).toEqual([{ jobId: "123", reason }]);
});

test.each([
  ["half JSON", { headers: json, body: '{"reason":' }, 400, "INVALID_ARGUMENT"],
  ["another shape", { headers: json, body: '["reason"]' }, 400, "INVALID_ARGUMENT"],
  ["null", { headers: json, body: "null" }, 400, "INVALID_ARGUMENT"],
  ["a reason that is no text", { headers: json, body: '{"reason":5}' }, 400, "INVALID_ARGUMENT"],
  ["an unknown field", { headers: json, body: '{"reason":"a","force":true}' }, 400, "INVALID_ARGUMENT"],
  ["an attack on prototypes", { headers: json, body: '{"__proto__":{"reason":"x"}}' }, 400, "INVALID_ARGUMENT"],
  ["4097 bytes", { headers: json, body: `{"reason":"${"x".repeat(4_084)}"}` }, 413, "CONTENT_TOO_LARGE"],
  ["a form", { body: new URLSearchParams({ reason: "x" }) }, 415, "UNSUPPORTED_MEDIA_TYPE"],
  ["plain text", { body: '{"reason":"x"}' }, 415, "UNSUPPORTED_MEDIA_TYPE"],
])("a body of %s cancels nothing", async (_, init, status, code) => {
  const source = running();
  const response = await ask(checkedHandler(source), "123/cancel", { method: "POST", ...init });
  expect([response.status, (await bodyOf(response)).code]).toEqual([status, code]);
  expect(source.cancellations).toEqual([]);
});

test("a body without end is not read to the end", async () => {
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += 1_000;
      controller.enqueue(new Uint8Array(1_000));
    },
  });
  const init: RequestInit = { method: "POST", headers: json, body, duplex: "half" };
  expect((await ask(checkedHandler(running()), "123/cancel", init)).status).toBe(413);
  expect(sent).toBeLessThan(20_000);
});

test("a finished job answers 409, a missing one 404", async () => {
  const source = new FakeJobs();
  source.set(view({ status: "completed" }, 100));
  const handler = checkedHandler(source);
  expect((await bodyOf(await ask(handler, "123/cancel", { method: "POST" }))).code).toBe("JOB_FINISHED");
  expect((await ask(handler, "5/cancel", { method: "POST" })).status).toBe(404);
});

test("a job that is deleted as soon as it is asked to be cancelled is missing", async () => {
  const source = running();
  source.getJob = async () => null;
  const response = await ask(checkedHandler(source), "123/cancel", { method: "POST" });
  expect([response.status, (await bodyOf(response)).code]).toEqual([404, "JOB_NOT_FOUND"]);
});

test.each(["cross-site", "same-site"])("a page of another origin (%s) cannot cancel for its visitor", async (site) => {
  const source = running();
  const headers = { "sec-fetch-site": site, origin: "https://evil.example" };
  const response = await ask(checkedHandler(source), "123/cancel", { method: "POST", headers });
  expect([response.status, (await bodyOf(response)).code]).toEqual([403, "CROSS_ORIGIN"]);
  expect(source.cancellations).toEqual([]);
});

test.each(["same-origin", "none"])("what the browser says to come from here (%s) cancels", async (site) => {
  const source = running();
  const headers = { "sec-fetch-site": site, origin: "http://behind.a.proxy" };
  expect((await ask(checkedHandler(source), "123/cancel", { method: "POST", headers })).status).toBe(202);
});

test.each([
  ["of another page", "http://evil.example", 403],
  ["of another port", "http://api:8080", 403],
  ["that is kept secret", "null", 403],
  ["of the server", "http://api", 202],
  ["of the server behind TLS", "https://api", 202],
])("without Sec-Fetch-Site, as without TLS, an origin %s counts", async (_, origin, status) => {
  const source = running();
  expect((await ask(checkedHandler(source), "123/cancel", { method: "POST", headers: { origin } })).status).toBe(
    status,
  );
  expect(source.cancellations).toHaveLength(status === 202 ? 1 : 0);
});
