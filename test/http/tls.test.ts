import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { connect, createSecureServer } from "node:http2";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { toNodeHandler } from "../../src/http/node-handler.js";
import { certificateAuthority } from "../security/certificates.js";
import { checkedHandler } from "./checked-handler.js";
import { FakeJobs, view } from "./fake-jobs.js";

const authority = certificateAuthority();
afterAll(() => authority[Symbol.dispose]());
const { certFile, keyFile } = authority.issue("http", "localhost");
const ca = readFileSync(authority.caFile);

/** A server that speaks HTTP/1.1 and HTTP/2 behind TLS, and the URLs that `authorize` has seen there. */
async function secureServer() {
  const source = new FakeJobs();
  source.set(view());
  const seen: string[] = [];
  const handle = toNodeHandler(checkedHandler(source, { authorize: ({ url }) => seen.push(url) > 0 }));
  const keys = { key: readFileSync(keyFile), cert: readFileSync(certFile), allowHTTP1: true };
  const server = createSecureServer(keys, handle as RequestListener as never);
  server.listen(0, "localhost");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { seen, origin: `https://localhost:${(server.address() as AddressInfo).port}` };
}

test("authorize sees https where HTTP/1.1 comes through TLS", async () => {
  const { seen, origin } = await secureServer();
  const [response] = await once(request(`${origin}/api/v1/jobs/123`, { ca, agent: false }).end(), "response");
  response.resume();
  expect([response.statusCode, seen]).toEqual([200, [`${origin}/api/v1/jobs/123`]]);
});

test("authorize sees https where HTTP/2 comes through TLS", async () => {
  const { seen, origin } = await secureServer();
  const client = connect(origin, { ca });
  onTestFinished(() => client.destroy());
  const [headers] = await once(client.request({ ":path": "/api/v1/jobs/123" }), "response");
  expect([headers[":status"], seen]).toEqual([200, [`${origin}/api/v1/jobs/123`]]);
});
