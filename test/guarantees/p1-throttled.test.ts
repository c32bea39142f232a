import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.js";
import { journaledChanges, keepJournal } from "./journal.js";
import { startPuppet } from "./puppet.js";
import { openStage } from "./stage.js";
import { startWorkerOn } from "./start-worker-on.js";
import { windowedWrites } from "./windows.js";
import type { TightLoopMessage, TightLoopTask } from "./workers/tight-loop.js";

const windowMs = 2_000;
const durationMs = 10_000;
/** Redis counts whole milliseconds, and so do the clocks that are compared. */
const tickMs = 3;

test("two processes that report one job in tight loops write it once per window at most", async () => {
  await using stage = await openStage({ rabbitmqUrl: null });
  const jobId = await stage.job();
  const starter = await startPuppet(stage.address);
  await starter.call("startJob", jobId);
  await starter.call("close");
  await keepJournal(stage.db);
  const loops = await Promise.all(
    [90, 95].map((last) => {
      const task: TightLoopTask = { jobId, windowMs, last };
      return startWorkerOn<TightLoopMessage>("tight-loop", stage.address, task);
    }),
  );
  await Promise.all(loops.map((loop) => loop.message(({ ready }) => ready === true)));
  for (const loop of loops) loop.send("go");
  await sleep(durationMs);
  for (const loop of loops) loop.send("end");
  const ends = await Promise.all(loops.map((loop) => loop.message(({ calls }) => calls !== undefined)));
  await eventually(async () => expect(await stage.row(jobId)).toMatchObject({ progress: 95, step: "last" }));

  const { gaps, windows, spanMs } = await windowedWrites(stage.db, loops);
  const calls = ends.reduce((sum, end) => sum + (end.calls ?? 0), 0);
  console.log(
    `P1: ${calls} calls of 2 processes in ${durationMs} ms, ${gaps.length + 1} writes, gaps ${gaps.join(", ")} ms`,
  );
  expect(Math.min(...windows)).toBeGreaterThanOrEqual(windowMs - tickMs);
  expect(gaps.length).toBeLessThanOrEqual((spanMs + tickMs) / windowMs);
  expect(gaps.length + 1).toBeGreaterThanOrEqual(Math.floor(durationMs / windowMs));
  for (const worker of [starter, ...loops]) worker.kill();
}, 60_000);

test("forceProgress and lifecycle calls write within a window that is taken", async () => {
  await using stage = await openStage({ rabbitmqUrl: null });
  const jobId = await stage.job();
  await keepJournal(stage.db);
  const worker = await startPuppet(stage.address, { windowMs: 3_600_000 });
  await worker.call("startJob", jobId);
  expect(await worker.call("progress", jobId, 10)).toMatchObject({ outcome: "written", percent: 10 });
  expect(await worker.call("progress", jobId, 20)).toEqual({ outcome: "coalesced" });
  for (const percent of [30, 40, 50]) {
    expect(await worker.call("forceProgress", jobId, percent)).toMatchObject({ outcome: "written", percent });
  }
  await worker.call("updateStatus", jobId, "retrying");
  await worker.call("updateStatus", jobId, "running");
  await worker.call("completeJob", jobId);
  const written = (await journaledChanges(stage.db)).map(({ new_status, new_progress }) => [new_status, new_progress]);
  expect(written).toEqual([
    ["running", 0],
    ["running", 10],
    ["running", 30],
    ["running", 40],
    ["running", 50],
    ["retrying", 50],
    ["running", 50],
    ["completed", 100],
  ]);
  worker.kill();
});
