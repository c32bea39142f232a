import { once } from "node:events";
import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { startWorker } from "./child-process.js";
import { freePort } from "./free-port.js";

test("no port is found twice, by whichever process", async () => {
  const fixture = new URL("./free-port.fixture.ts", import.meta.url);
  const others = await Promise.all([1, 2].map(() => startWorker<readonly number[]>(fixture, { args: ["100"] })));
  const own: number[] = [];
  while (own.length < 100) own.push(await freePort());
  const found = [own, ...(await Promise.all(others.map((other) => other.message(() => true))))].flat();
  for (const other of others) other.kill();
  expect(new Set(found).size).toBe(300);
});

test("a port that somebody listens on is not found", async () => {
  const taken = (await freePort()) + 2;
  const server = createServer().listen(taken, "127.0.0.1");
  onTestFinished(() => void server.close());
  // Another process may have it already: that is somebody, too.
  await once(server, "listening").catch(() => {});
  expect(await Promise.all(Array.from({ length: 20 }, () => freePort()))).not.toContain(taken);
});
