import { expect, test } from "vitest";
import { eventually } from "../support/eventually.js";
import { privatePostgres } from "../support/servers.js";
import { startPuppet } from "./puppet.js";
import { openStage } from "./stage.js";
import { startWorkerOn } from "./start-worker-on.js";
import { viaProxy } from "./via-proxy.js";
import type { CallTimesMessage, CallTimesTask } from "./workers/call-times.js";

test("progress is deferred while PostgreSQL is dead, changes reject, and the newest value lands when it is back", async () => {
  await using postgres = await privatePostgres();
  await using stage = await openStage({ databaseUrl: postgres.url, rabbitmqUrl: null });
  const changeTimeoutMs = 800;
  const [jobId, other] = (await stage.jobs(2)) as [string, string];
  const worker = await startPuppet(stage.address, { windowMs: 200, changeTimeoutMs });
  await worker.call("startJob", jobId);
  await worker.call("forceProgress", jobId, 10);
  await postgres.kill();

  const deferred = { outcome: "deferred", error: { code: "STORAGE_UNAVAILABLE" } };
  await eventually(async () => expect(await worker.call("progress", jobId, 20)).toMatchObject(deferred));
  expect(await worker.call("forceProgress", jobId, 21)).toMatchObject(deferred);
  // Reported once and tried in vain several times before the server is back.
  expect(await worker.call("progress", other, 33)).toMatchObject(deferred);
  const begin = performance.now();
  await expect(worker.call("completeJob", jobId)).rejects.toMatchObject({
    code: "STORAGE_UNAVAILABLE",
    message: expect.stringContaining(`Cannot complete job "${jobId}": the database cannot be used now`),
  });
  const rejectedAfterMs = performance.now() - begin;
  expect(rejectedAfterMs).toBeGreaterThanOrEqual(changeTimeoutMs - 1);
  expect(rejectedAfterMs).toBeLessThan(changeTimeoutMs + 2_500);
  await worker.call("climb", jobId, 30, 70);
  expect(await worker.call("health")).toMatchObject({ storage: { state: "down" }, jobs: { unwritten: 2 } });

  await postgres.restart();
  await eventually(async () => {
    expect(await stage.row(jobId)).toEqual({
      status: "running",
      progress: 70,
      attempts: 1,
      step: "step 70",
      message: null,
    });
    expect(await stage.row(other)).toMatchObject({ status: "running", progress: 33 });
  });
  const told = () => worker.warnings().filter((warning) => warning.includes("storage"));
  await eventually(() =>
    expect(told()).toEqual([
      expect.stringContaining("The storage is away"),
      expect.stringContaining("The storage is back"),
    ]),
  );
  worker.kill();
  console.log(`P6: completeJob rejected after ${Math.round(rejectedAfterMs)} ms of ${changeTimeoutMs} ms allowed`);
}, 60_000);

test.for([
  ["databaseUrl", "refuse"],
  ["databaseUrl", "blackhole"],
  ["redisUrl", "refuse"],
  ["redisUrl", "blackhole"],
  ["rabbitmqUrl", "refuse"],
  ["rabbitmqUrl", "blackhole"],
] as const)("with %s under %s no call of progress rejects or takes 5 ms", async ([server, fault]) => {
  await using stage = await openStage();
  const proxy = await viaProxy(stage.address[server] as string);
  const task: CallTimesTask = {
    jobIds: await stage.jobs(100),
    freshJobId: await stage.job(),
    callsPerRound: 500,
    rounds: 20,
    options: { windowMs: 50, storageTimeoutMs: server === "databaseUrl" ? 300 : 20_000 },
  };
  const worker = await startWorkerOn<CallTimesMessage>("call-times", { ...stage.address, [server]: proxy.url }, task);
  await worker.message(({ ready }) => ready === true);
  await proxy[fault]();
  worker.send("measure");
  const { longestMs = [], outcomes = {}, first } = await worker.message((message) => message.outcomes !== undefined);
  const shown = longestMs.map((ms) => ms.toFixed(2)).join(", ");
  console.log(`P6: ${server} ${fault}: longest call per round ${shown} ms, ${JSON.stringify(outcomes)}`);
  // Other processes interrupt some rounds; a call that blocks would do so in every round.
  expect(Math.min(...longestMs)).toBeLessThan(5);
  const stored = server === "databaseUrl" ? "deferred STORAGE_UNAVAILABLE" : "written";
  expect(first).toBe(stored);
  expect((outcomes.coalesced ?? 0) + (outcomes[stored] ?? 0)).toBe(task.callsPerRound * task.rounds);
  if (server === "databaseUrl") await proxy.accept();
  await eventually(async () => {
    const { rows } = await stage.db.query("select distinct progress from worker_progress_jobs");
    expect(rows).toEqual([{ progress: 50 }]);
  });
  worker.kill();
  await proxy.close();
});
