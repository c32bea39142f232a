import { once } from "node:events";
import { createServer } from "node:http";
import { setImmediate as turn } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { createJobHandler } from "../../src/http/job-handler.js";
import { toNodeHandler } from "../../src/http/node-handler.js";
import { nodeRequest } from "../../src/http/node-request.js";
import { eventually } from "../support/eventually.js";
import { eventsOf } from "./ask.js";
import { checkedHandler, open } from "./checked-handler.js";
import { FakeJobs, view } from "./fake-jobs.js";
import { serve } from "./node-server.js";

const cancel = "POST /api/v1/jobs/123/cancel HTTP/1.1\nHost: a\nConnection: close\nContent-Type: application/json\n";

function running(): FakeJobs {
  const source = new FakeJobs();
  source.set(view());
  return source;
}

test("node:http answers what the handler does", async () => {
  const source = running();
  const { url } = await serve(toNodeHandler(checkedHandler(source)));
  const got = await fetch(`${url}/api/v1/jobs/123`);
  expect([got.status, await got.json()]).toEqual([200, view()]);
  const headers = { "if-none-match": String(got.headers.get("etag")) };
  expect((await fetch(`${url}/api/v1/jobs/123`, { headers })).status).toBe(304);
  const head = await fetch(`${url}/api/v1/jobs/123`, { method: "HEAD" });
  expect(head.headers.get("content-length")).toBe(got.headers.get("content-length"));
  const cancel = { method: "POST", headers: { "content-type": "application/json" }, body: '{"reason":"ü"}' };
  expect((await fetch(`${url}/api/v1/jobs/123/cancel`, cancel)).status).toBe(202);
  expect(source.cancellations).toEqual([{ jobId: "123", reason: "ü" }]);
});

test("events go out as they come, and the connection ends with the job", async () => {
  const source = running();
  const { url } = await serve(toNodeHandler(checkedHandler(source)));
  const events = eventsOf(await fetch(`${url}/api/v1/jobs/123/events`));
  await events.next();
  const percents: number[] = [];
  for await (const { data } of events) {
    percents.push(JSON.parse(String(data)).progress.percent);
    const percent = Number(percents.at(-1)) + 25;
    if (percent <= 100) source.set(view({ status: percent === 100 ? "completed" : "running" }, percent));
  }
  expect(percents).toEqual([50, 75, 100]);
  expect(source.watching).toBe(0);
});

test("clients that go away in the middle leave nothing behind", async () => {
  const source = running();
  const { server, connection } = await serve(toNodeHandler(checkedHandler(source)));
  const sockets = Array.from({ length: 50 }, connection);
  for (const socket of sockets) socket.write("GET /api/v1/jobs/123/events HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually(() => expect(source.watching).toBe(50));
  for (const [index, socket] of sockets.entries()) {
    if (index % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
  }
  await eventually(() => expect(source.watching).toBe(0));
  await eventually(async () => {
    expect(await new Promise((resolve) => server.getConnections((_, count) => resolve(count)))).toBe(0);
  });
});

/** A stream that is cancelled, which does not end well. */
function cancelledBadly() {
  const cancelled = Promise.withResolvers<void>();
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(1)),
    cancel() {
      cancelled.resolve();
      throw new Error("Not well");
    },
  });
  return { body, cancelled: cancelled.promise };
}

test("a handler of one's own that hears no signal has its stream cancelled when the client goes", async () => {
  const { body, cancelled } = cancelledBadly();
  const { connection } = await serve(toNodeHandler(async () => new Response(body)));
  const socket = connection();
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await once(socket, "data");
  socket.resetAndDestroy();
  await cancelled;
});

test("a handler of one's own that answers after the client has gone has its stream cancelled", async () => {
  const { body, cancelled } = cancelledBadly();
  const asked = Promise.withResolvers<void>();
  const handler = toNodeHandler(async ({ signal }) => {
    asked.resolve();
    await once(signal, "abort");
    return new Response(body);
  });
  const { connection } = await serve(handler);
  const socket = connection();
  socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await asked.promise;
  socket.resetAndDestroy();
  await cancelled;
});

test("a client that reads nothing is disconnected when it has taken nothing for a while", async () => {
  const source = running();
  const { connection } = await serve(toNodeHandler(checkedHandler(source), { stallMs: 100 }));
  const socket = connection();
  socket.pause();
  socket.write("GET /api/v1/jobs/123/events HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually(() => expect(source.watching).toBe(1));
  const output = "x".repeat(500_000);
  for (let i = 0; source.watching > 0 && i < 1_000_000; i++) {
    source.set(view({ output }, 50 + i / 1e6));
    await turn();
  }
  expect(source.watching).toBe(0);
});

test("requests that are sent all at once are answered one after the other, one stream at a time", async () => {
  const source = running();
  const { connection } = await serve(toNodeHandler(checkedHandler(source)));
  const socket = connection();
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk;
  });
  const request = "GET /api/v1/jobs/123/events HTTP/1.1\r\nHost: a\r\n";
  socket.write(`${request}\r\n${request}\r\n${request}Connection: close\r\n\r\n`);
  await eventually(() => expect(received).toContain("data: "));
  expect(source.watching).toBe(1);
  source.set(view({ status: "completed" }, 100));
  await once(socket, "close");
  expect(received.match(/^HTTP\/1.1 200/gm)).toHaveLength(3);
});

test("a client that asks for a job and reads nothing is disconnected, too", async () => {
  const source = new FakeJobs();
  source.set(view({ output: "x".repeat(20_000_000) }));
  const { server, connection } = await serve(toNodeHandler(checkedHandler(source), { stallMs: 100 }));
  const socket = connection();
  const accepted = once(server, "connection");
  socket.pause();
  socket.write("GET /api/v1/jobs/123 HTTP/1.1\r\nHost: a\r\n\r\n");
  const [serving] = await accepted;
  await once(serving, "close");
  expect(source.asked).toEqual(["123"]);
});

test("a client that takes a long answer slowly gets all of it", async () => {
  const source = new FakeJobs();
  source.set(view({ output: "x".repeat(24_000_000) }));
  const { connection } = await serve(toNodeHandler(createJobHandler(source, open)));
  const socket = connection();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  socket.write("GET /api/v1/jobs/123 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  let bytes = 0;
  let pauses = 0;
  for await (const chunk of socket) {
    bytes += chunk.length;
    if (bytes < (pauses + 1) * 4_000_000) continue;
    pauses++;
    await vi.advanceTimersByTimeAsync(40_000);
  }
  expect(pauses).toBe(6);
  expect(bytes).toBeGreaterThan(24_000_000);
});

test("authorize can see what node:http received", async () => {
  const addresses: unknown[] = [];
  const authorize = (request: Request) => addresses.push(nodeRequest(request)?.socket.remoteAddress) > 0;
  const { url } = await serve(toNodeHandler(checkedHandler(running(), { authorize })));
  expect((await fetch(`${url}/api/v1/jobs/123`)).status).toBe(200);
  expect(addresses).toEqual(["127.0.0.1"]);
  expect(nodeRequest(new Request("http://a/"))).toBeUndefined();
});

test("mounted under a path, as Express does, the base path is still the whole path", async () => {
  const handle = toNodeHandler(checkedHandler(running(), { basePath: "/internal/jobs" }));
  const { url } = await serve((request, response) => {
    Object.assign(request, { originalUrl: request.url, url: request.url?.replace("/internal", "") });
    void handle(request, response);
  });
  expect((await fetch(`${url}/internal/jobs/123`)).status).toBe(200);
  expect((await fetch(`${url}/jobs/123`)).status).toBe(404);
});

test.each([
  ["parsed", (bytes: Buffer) => JSON.parse(bytes.toString())],
  ["read as text", (bytes: Buffer) => bytes.toString()],
  ["read as bytes", (bytes: Buffer) => bytes],
])("a body that a middleware has %s already is not waited for", async (_, bodyOf) => {
  const source = running();
  const handle = toNodeHandler(checkedHandler(source));
  const { url } = await serve(async (request, response) => {
    const body = bodyOf(Buffer.concat(await request.toArray()));
    await handle(Object.assign(request, { body }), response);
  });
  const headers = { "content-type": "application/json" };
  const body = '{"reason":"Größe"}';
  expect((await fetch(`${url}/api/v1/jobs/123/cancel`, { method: "POST", headers, body })).status).toBe(202);
  expect(source.cancellations).toEqual([{ jobId: "123", reason: "Größe" }]);
});

test("a body that a middleware has read and not kept gives no reason", async () => {
  const source = running();
  const handle = toNodeHandler(checkedHandler(source));
  const { url } = await serve(async (request, response) => {
    await request.toArray();
    await handle(request, response);
  });
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: '{"reason":"lost"}' };
  expect((await fetch(`${url}/api/v1/jobs/123/cancel`, init)).status).toBe(202);
  expect(source.cancellations).toEqual([{ jobId: "123", reason: undefined }]);
});

test("a body is not read for one who may not cancel", async () => {
  const read: unknown[] = [];
  const authorize = async (request: Request) => {
    await turn();
    return read.push(nodeRequest(request)?.readableDidRead) === 0;
  };
  const { raw } = await serve(toNodeHandler(checkedHandler(running(), { authorize })));
  expect(await raw(`${cancel}Content-Length: 14\n\n{"reason":"a"}`)).toContain(" 404 ");
  expect(read).toEqual([false]);
});

test("TRACE is told what is allowed, as every other method that a path does not answer", async () => {
  const { raw } = await serve(toNodeHandler(checkedHandler(running())));
  const answer = await raw("TRACE /api/v1/jobs/123 HTTP/1.1\nHost: a\nConnection: close\n\n");
  expect(answer.split("\r\n")).toEqual(
    expect.arrayContaining(["HTTP/1.1 405 Method Not Allowed", "allow: GET, HEAD, OPTIONS"]),
  );
});

test.each([
  ["as the client names it", "HTTP/1.1\nHost: jobs.example:8080", "http://jobs.example:8080"],
  ["without a name", "HTTP/1.0", "http://localhost"],
  ["with a name that is none", "HTTP/1.1\nHost: a b/c?d", "http://localhost"],
  ["without what else is in the name", "HTTP/1.1\nHost: user:secret@jobs.example", "http://jobs.example"],
])("authorize sees the server %s", async (_, request, origin) => {
  const seen: string[] = [];
  const handler = checkedHandler(running(), { authorize: ({ url }) => seen.push(url) > 0 });
  const { raw } = await serve(toNodeHandler(handler));
  await raw(`GET /api/v1/jobs/123 ${request}\nConnection: close\n\n`);
  expect(seen).toEqual([`${origin}/api/v1/jobs/123`]);
});

test.each([
  ["a path that climbs", "GET /api/v1/jobs/..%2f..%2fetc%2fpasswd HTTP/1.1\nHost: a", 404],
  ["dots", "GET /api/v1/jobs/../../../etc/passwd HTTP/1.1\nHost: a", 404],
  ["NUL", "GET /api/v1/jobs/%00 HTTP/1.1\nHost: a", 404],
  ["10 kB", `GET /api/v1/jobs/${"x".repeat(10_000)} HTTP/1.1\nHost: a`, 404],
  ["two slashes", "GET //evil/api/v1/jobs/123 HTTP/1.1\nHost: a", 404],
  ["a backslash", "GET /api/v1/jobs\\123 HTTP/1.1\nHost: a", 200],
  ["a whole URL", "GET http://evil/api/v1/jobs/123 HTTP/1.1\nHost: a", 200],
  ["a URL with a password", "GET http://user:secret@evil/api/v1/jobs/123 HTTP/1.1\nHost: a", 400],
  ["no URL", "OPTIONS * HTTP/1.1\nHost: a", 404],
  ["a host that is none", "GET /api/v1/jobs/123 HTTP/1.1\nHost: a b/c?d", 200],
  ["no host", "GET /api/v1/jobs/123 HTTP/1.0", 200],
  ["HEAD with a body", "HEAD /api/v1/jobs/123 HTTP/1.1\nHost: a\nContent-Length: 5", 200],
  ["no body", "POST /api/v1/jobs/123/cancel HTTP/1.1\nHost: a", 202],
  ["a body of no length", "POST /api/v1/jobs/123/cancel HTTP/1.1\nHost: a\nContent-Length: 0", 202],
  ["TRACE", "TRACE /api/v1/jobs/123 HTTP/1.1\nHost: a", 405],
  ["an unusual method", "PROPFIND /api/v1/jobs/123 HTTP/1.1\nHost: a", 405],
  ["an unknown method", "BREW /api/v1/jobs/123 HTTP/1.1\nHost: a", 400],
  ["headers of 40 kB", `GET /api/v1/jobs/123 HTTP/1.1\nHost: a\nX-Long: ${"x".repeat(40_000)}`, 431],
  ["bytes that are no ASCII", "GET /api/v1/jobs/123 HTTP/1.1\nHost: a\nX-Key: \u00ff\u00fe", 200],
  ["a Last-Event-ID of bytes", "GET /api/v1/jobs/404/events HTTP/1.1\nHost: a\nLast-Event-ID: \u0080.\u0001", 400],
])("%s: the server answers, shows nothing, and serves the next", async (_, request, status) => {
  const { raw, url } = await serve(toNodeHandler(checkedHandler(running())));
  const answer = await raw(`${request}\nConnection: close\n\n`);
  expect(answer.split("\r\n")[0]).toContain(` ${status} `);
  expect(answer).not.toMatch(/node:|\.ts|at .*:\d+|Error:|secret/);
  expect((await fetch(`${url}/api/v1/jobs/123`)).status).toBe(200);
});

test.each([
  ["in chunks", `${cancel}Transfer-Encoding: chunked\n\n8\n{"reason\n6\n":"a"}\n0\n\n`, [202]],
  ["in chunks of more than 4 kB", `${cancel}Transfer-Encoding: chunked\n\n1388\n${"x".repeat(5_000)}\n0\n\n`, [413]],
  ["that waits to be asked for", `${cancel}Expect: 100-continue\nContent-Length: 14\n\n{"reason":"a"}`, [100, 202]],
  ["that expects tea", `${cancel}Expect: tea\nContent-Length: 14\n\n{"reason":"a"}`, [417]],
  [
    "of two types",
    `${cancel.replace("\nContent", "\nContent-Type: text/plain\nContent")}Content-Length: 14\n\n{"reason":"a"}`,
    [415],
  ],
  ["of two lengths", `${cancel}Content-Length: 2\nContent-Length: 14\n\n{"reason":"a"}`, [400]],
  ["in chunks and of a length", `${cancel}Content-Length: 14\nTransfer-Encoding: chunked\n\n2\n{}\n0\n\n`, [400]],
])("a body %s is cancelled for once or not at all", async (_, request, statuses) => {
  const source = running();
  const { raw } = await serve(toNodeHandler(checkedHandler(source)));
  const answer = await raw(request);
  expect([...answer.matchAll(/^HTTP\/1.1 (\d+)/gm)].map(([, status]) => Number(status))).toEqual(statuses);
  expect(source.cancellations).toEqual(statuses.includes(202) ? [{ jobId: "123", reason: "a" }] : []);
});

test("a connection is kept for the next request after a body that was read", async () => {
  const source = running();
  const { raw } = await serve(toNodeHandler(checkedHandler(source)));
  const first = cancel.replace("Connection: close\n", "");
  const answer = await raw(`${first}Content-Length: 14\n\n{"reason":"a"}${cancel}Content-Length: 14\n\n{"reason":"b"}`);
  expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 202", "HTTP/1.1 202"]);
  expect(source.cancellations.map(({ reason }) => reason)).toEqual(["a", "b"]);
});

test("a request in the body of a request is not taken for one, and the connection ends with it", async () => {
  const source = running();
  const { raw } = await serve(toNodeHandler(checkedHandler(source)));
  const hidden = "GET /api/v1/jobs/7 HTTP/1.1\nHost: a\n\n";
  const length = hidden.length + 3;
  const answer = await raw(
    `GET /api/v1/jobs/123 HTTP/1.1\nHost: a\nContent-Length: ${length}\n\n${hidden}` +
      "GET /api/v1/jobs/8 HTTP/1.1\nHost: a\nConnection: close\n\n",
  );
  expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 200"]);
  expect(source.asked).not.toContain("7");
});

test("a client of HTTP/1.0 gets events as they are, not in chunks", async () => {
  const source = new FakeJobs();
  source.set(view({ status: "completed" }, 100));
  const { raw } = await serve(toNodeHandler(checkedHandler(source)));
  const [head = "", ...blocks] = (await raw("GET /api/v1/jobs/123/events HTTP/1.0\n\n")).split(/\r\n\r\n|\n\n/);
  expect(head).not.toMatch(/transfer-encoding/i);
  expect(blocks.map((block) => block.split(": ")[0])).toEqual(["retry", "id", ""]);
});

test.each([
  ["too large", "Content-Type: application/json\r\nContent-Length: 100000000", 413],
  ["of no type", "Content-Length: 100000000", 415],
  ["of no type and length", "Transfer-Encoding: chunked", 415],
])("an upload that is %s is not waited for", async (_, headers, status) => {
  const { connection } = await serve(toNodeHandler(checkedHandler(running())));
  const socket = connection();
  socket.write(`POST /api/v1/jobs/123/cancel HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n`);
  const answer = (await socket.toArray()).join("");
  expect(answer).toContain(` ${status} `);
  expect(answer).toMatch(/connection: close/i);
});

test("a handler that fails all the same ends its own connection only", async () => {
  const broken = toNodeHandler(() => Promise.reject(new Error("secret")));
  const { url } = await serve(broken);
  await expect(fetch(url)).rejects.toThrow("fetch failed");
  await expect(fetch(url)).rejects.toThrow("fetch failed");
});

test("how long a client may stall is checked at once", () => {
  for (const stallMs of [0, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY]) {
    expect(() => toNodeHandler(async () => new Response(), { stallMs })).toThrow(RangeError);
  }
  expect(createServer(toNodeHandler(async () => new Response()))).toBeDefined();
});
