import { expect, test } from "vitest";
import { openStage } from "../guarantees/stage.js";
import { viaProxy } from "../guarantees/via-proxy.js";
import { startWorker } from "../support/child-process.js";
import type { BusyNews, BusyTask } from "./workers/busy-reporter.js";

const jobs = 10_000;
const lastsMs = 9_000;
const storageTimeoutMs = 2_000;
const roundTripMs = 600;

test("10,000 jobs reported in tight loops on a slow storage: memory is bounded, nobody waits long, changes go first", async () => {
  await using stage = await openStage({ redisUrl: null, rabbitmqUrl: null });
  const jobIds = await stage.jobs(jobs + 2);
  const network = await viaProxy(stage.address.databaseUrl);
  network.delay(roundTripMs / 2);
  const task: BusyTask = { address: { ...stage.address, databaseUrl: network.url }, jobIds, lastsMs };
  const worker = await startWorker<BusyNews>(new URL("./workers/busy-reporter.ts", import.meta.url), {
    args: [JSON.stringify(task)],
    nodeArgs: ["--expose-gc"],
  });
  const { calls, longestCallMs, longestTurnMs, longestAnswerMs, lifecycleMs, heaps, unwritten } = await worker.message(
    () => true,
  );
  await worker.exit;
  await network.close();

  const [before, halfway, end] = heaps;
  const bytesPerJob = (end - before) / jobs;
  expect(unwritten).toBeGreaterThan(jobs / 4);
  expect(calls).toBeGreaterThan(jobs * 20);
  expect(bytesPerJob).toBeLessThan(2_500);
  // However often a job is reported, one value of it is kept.
  expect((end - halfway) / jobs).toBeLessThan(500);
  expect(longestCallMs).toBeLessThan(250);
  expect(longestAnswerMs).toBeLessThan(storageTimeoutMs + 1_000 + longestTurnMs);
  // A start and a completion: each waits for the statements under way, reads, and writes.
  expect(lifecycleMs).toBeLessThan(2 * 4 * roundTripMs + 1_000 + longestTurnMs);
}, 60_000);
