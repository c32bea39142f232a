import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import fastify from "fastify";
import { describe, expect, onTestFinished, test } from "vitest";
import { type JobHandler, nodeRequest, toNodeHandler } from "../../src/http/index.js";
import { eventually } from "../support/eventually.js";
import { eventsOf } from "./ask.js";
import { checkedHandler } from "./checked-handler.js";
import { FakeJobs, view } from "./fake-jobs.js";

type Mount = (jobs: JobHandler) => Promise<string>;

/** Where a server listens until the test has finished. */
async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const onExpress: Mount = async (jobs) => {
  const app = express();
  app.use("/api/v1/jobs", toNodeHandler(jobs));
  return listening(createServer(app));
};

const onExpressBehindParsers: Mount = async (jobs) => {
  const app = express();
  app.use(express.json(), express.urlencoded({ extended: false }), express.text());
  const router = express.Router();
  router.use("/jobs", toNodeHandler(jobs));
  app.use("/api/v1", router);
  return listening(createServer(app));
};

const onFastify: Mount = async (jobs) => {
  const app = fastify();
  app.post("/other", async ({ body }) => ({ body }));
  app.register(async (scope) => {
    const handle = toNodeHandler(jobs);
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _body, done) => done(null));
    scope.all("/api/v1/jobs/*", (request, reply) => {
      reply.hijack();
      return handle(request.raw, reply.raw);
    });
  });
  onTestFinished(() => void app.close());
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(() => app.server.closeAllConnections());
  return url;
};

describe.each([
  ["Express", onExpress],
  ["Express, two routers deep behind body parsers", onExpressBehindParsers],
  ["Fastify", onFastify],
])("under %s", (_, mount) => {
  async function mounted() {
    const source = new FakeJobs();
    source.set(view());
    const seen: unknown[] = [];
    const authorize = (request: Request) => seen.push(nodeRequest(request)?.socket.remoteAddress) > 0;
    const url = await mount(checkedHandler(source, { authorize }));
    return { source, seen, at: `${url}/api/v1/jobs/123` };
  }

  test("a job is read, and unchanged is 304", async () => {
    const { at, seen } = await mounted();
    const response = await fetch(at);
    expect([response.status, await response.json()]).toEqual([200, view()]);
    const headers = { "if-none-match": String(response.headers.get("etag")) };
    expect((await fetch(at, { headers })).status).toBe(304);
    expect((await fetch(at, { method: "HEAD" })).status).toBe(200);
    expect(seen).toEqual(["127.0.0.1", "127.0.0.1", "127.0.0.1"]);
  });

  test("a cancellation keeps its reason", async () => {
    const { at, source } = await mounted();
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${at}/cancel`, { method: "POST", headers, body: '{"reason":"Wrong file, ü"}' });
    expect(response.status).toBe(202);
    expect(source.cancellations).toEqual([{ jobId: "123", reason: "Wrong file, ü" }]);
  });

  test("a cancellation without a body has no reason", async () => {
    const { at, source } = await mounted();
    expect((await fetch(`${at}/cancel`, { method: "POST" })).status).toBe(202);
    expect(source.cancellations).toEqual([{ jobId: "123", reason: undefined }]);
  });

  test("a form does not cancel", async () => {
    const { at, source } = await mounted();
    const body = new URLSearchParams({ reason: "Forged" });
    expect((await fetch(`${at}/cancel`, { method: "POST", body })).status).toBe(415);
    expect(source.cancellations).toEqual([]);
  });

  test("events go out as they come", async () => {
    const { at, source } = await mounted();
    const percents: number[] = [];
    for await (const { data } of eventsOf(await fetch(`${at}/events`))) {
      if (data === undefined) continue;
      percents.push(JSON.parse(data).progress.percent);
      source.set(view(percents.length === 2 ? { status: "completed" } : {}, percents.length === 2 ? 100 : 75));
    }
    expect(percents).toEqual([50, 75, 100]);
  });

  test("the watch of a client that goes away ends", async () => {
    const { at, source } = await mounted();
    const leaving = new AbortController();
    const response = await fetch(`${at}/events`, { signal: leaving.signal });
    await response.body?.getReader().read();
    expect(source.watching).toBe(1);
    leaving.abort();
    await eventually(() => expect(source.watching).toBe(0));
  });
});
