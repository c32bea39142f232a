import { expect, test } from "vitest";
import { startWorker } from "../support/child-process.js";
import { eventually } from "../support/eventually.js";
import { redisUrl, testKeyPrefix } from "../support/servers.js";

const fixture = new URL("../support/redis-throttle.fixture.ts", import.meta.url);
const without = new URL("../support/without-packages.mjs", import.meta.url);
const refused = "redis://127.0.0.1:1";

/** Around the moment when a window began. */
interface Acquisition {
  readonly asked: number;
  readonly answered: number;
}

test("two processes share every window", async () => {
  const windowMs = 100;
  const args = [redisUrl(), testKeyPrefix(), "compete", String(windowMs)];
  const workers = await Promise.all([0, 1].map(() => startWorker<Acquisition>(fixture, { args })));
  await Promise.all(workers.map((worker) => worker.message(() => true)));
  await eventually(() => expect(workers.flatMap((worker) => worker.messages).length).toBeGreaterThan(10));
  for (const worker of workers) worker.send("enough");
  for (const worker of workers) expect(await worker.exit).toMatchObject({ code: 0, stderr: "" });
  const acquired = workers.flatMap((worker) => worker.messages);
  const span = Math.max(...acquired.map((each) => each.answered)) - Math.min(...acquired.map((each) => each.asked));
  // Redis counts whole milliseconds, so a window may last one less.
  expect(acquired.length).toBeLessThanOrEqual(span / (windowMs - 1) + 1);
});

test.each([
  ["a process with an outage ends by itself, closed", "askAndClose", refused],
  ["a process with an outage ends by itself, not closed", "ask", refused],
  ["a process that closes its throttle ends by itself", "askAndClose", redisUrl()],
  ["a process that does not close its throttle ends by itself", "ask", redisUrl()],
])("%s", async (_, task, url) => {
  const worker = await startWorker(fixture, { args: [url, testKeyPrefix(), task] });
  expect(await worker.message(() => true)).toEqual({ waits: [0] });
  const exit = await worker.exit;
  expect(exit).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\n$/), stderr: "" });
  expect(Number(exit.stdout)).toBeLessThan(2_000);
});

test("a URL without ioredis installed is an outage that says once, before anything is asked, what to install", async () => {
  const worker = await startWorker<{ warnings: unknown[]; waits?: number[] }>(fixture, {
    args: [redisUrl(), testKeyPrefix(), "missing"],
    env: { WITHOUT_PACKAGES: "ioredis" },
    nodeArgs: ["--import", without.href],
  });
  const warnings = [
    [
      "Redis is out of reach: each process throttles for itself until it answers",
      { reason: 'Cannot connect to Redis: package "ioredis" is not installed, run npm install ioredis' },
    ],
  ];
  await worker.message(({ waits }) => waits !== undefined);
  expect(worker.messages).toEqual([{ warnings }, { warnings, waits: [0, 0] }]);
  expect(await worker.exit).toMatchObject({ code: 0, stderr: "" });
});

test("a client of the caller's needs no ioredis to be installed", async () => {
  const worker = await startWorker(fixture, {
    args: [redisUrl(), testKeyPrefix(), "copy"],
    env: { WITHOUT_PACKAGES: "ioredis" },
    nodeArgs: ["--import", without.href],
  });
  expect(await worker.message(() => true)).toEqual({ waits: [0, 0], warnings: [] });
  expect(await worker.exit).toMatchObject({ code: 0, stderr: "" });
});
