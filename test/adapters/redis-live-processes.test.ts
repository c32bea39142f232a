import { expect, test } from "vitest";
import { redisLive } from "../../src/adapters/redis/index.js";
import { progressOf, recorder } from "../../src/conformance/live-fixtures.js";
import { openStage } from "../guarantees/stage.js";
import { startWorker } from "../support/child-process.js";
import { privateRedisCluster, redisUrl, testKeyPrefix } from "../support/servers.js";
import type { LiveTask } from "./redis-live.fixture.js";

const fixture = new URL("./redis-live.fixture.ts", import.meta.url);

async function endsByItself(task: LiveTask, keyPrefix: string): Promise<unknown> {
  const worker = await startWorker(fixture, { args: [JSON.stringify(task), keyPrefix] });
  const last = await worker.message(() => true);
  const exit = await worker.exit;
  expect(exit).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\n$/), stderr: "" });
  expect(Number(exit.stdout)).toBeLessThan(1_000);
  return last;
}

test("a script that made a reporter from three URLs and simply ends is over within a second of its last write", async () => {
  await using stage = await openStage();
  const jobId = await stage.job();
  const task = { kind: "reporter", address: stage.address, jobId } as const;
  expect(await endsByItself(task, stage.address.keyPrefix)).toMatchObject({ outcome: "written" });
  expect(await stage.row(jobId)).toMatchObject({ status: "running", progress: 50 });
});

test("a process that subscribes, publishes and reads is heard by others and ends by itself", async () => {
  const keyPrefix = testKeyPrefix();
  const [live, listener] = [redisLive(redisUrl(), { keyPrefix, timeoutMs: 10_000 }), recorder()];
  await live.subscribe("job", listener);
  expect(await endsByItself({ kind: "live", redisUrl: redisUrl() }, keyPrefix)).toEqual([progressOf("job", 1)]);
  await listener.hears(1);
  expect(listener.heard).toEqual([progressOf("job", 1)]);
  await live.close();
});

test("a process with live updates on a Cluster ends by itself", async () => {
  await using cluster = await privateRedisCluster();
  const task = { kind: "cluster", nodes: cluster.nodes } as const;
  expect(await endsByItself(task, testKeyPrefix())).toEqual([progressOf("job", 1)]);
});
