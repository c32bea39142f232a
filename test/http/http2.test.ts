import { once } from "node:events";
import { connect, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { toNodeHandler } from "../../src/http/node-handler.js";
import { eventually } from "../support/eventually.js";
import { checkedHandler } from "./checked-handler.js";
import { FakeJobs, view } from "./fake-jobs.js";

/** A client of a server that speaks HTTP/2, as browsers do for more than six streams. */
async function session() {
  const source = new FakeJobs();
  source.set(view());
  const seen: string[] = [];
  const authorize = ({ url }: Request) => seen.push(url) > 0;
  const server = createServer(toNodeHandler(checkedHandler(source, { authorize })) as never);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = connect(origin);
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  return { source, seen, origin, client };
}

test("over HTTP/2 a job is read", async () => {
  const { client, origin, seen } = await session();
  const request = client.request({ ":path": "/api/v1/jobs/123" });
  const [headers] = await once(request, "response");
  expect([headers[":status"], JSON.parse(await text(request))]).toEqual([200, view()]);
  expect(seen).toEqual([`${origin}/api/v1/jobs/123`]);
});

test("over HTTP/2 a job is cancelled for a reason", async () => {
  const { client, source } = await session();
  const request = client.request({
    ":path": "/api/v1/jobs/123/cancel",
    ":method": "POST",
    "content-type": "application/json",
  });
  request.end('{"reason":"Wrong file"}');
  const [headers] = await once(request, "response");
  expect([headers[":status"], source.cancellations]).toEqual([202, [{ jobId: "123", reason: "Wrong file" }]]);
});

test("over HTTP/2 many jobs are followed on one connection, and each watch ends with its stream", async () => {
  const { client, source } = await session();
  const streams = Array.from({ length: 20 }, () => client.request({ ":path": "/api/v1/jobs/123/events" }));
  await Promise.all(streams.map((stream) => once(stream, "data")));
  expect(source.watching).toBe(20);
  for (const stream of streams.slice(1)) stream.close();
  await eventually(() => expect(source.watching).toBe(1));
  source.set(view({ status: "completed" }, 100));
  expect(await text(streams[0] as never)).toContain('"percent":100');
  expect(source.watching).toBe(0);
});
