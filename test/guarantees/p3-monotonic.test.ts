import { expect, test } from "vitest";
import { journaledChanges, keepJournal, noFaults } from "./journal.js";
import { startPuppet } from "./puppet.js";
import { openStage } from "./stage.js";
import { storm } from "./storm.js";

const plan = { processes: 16, jobs: 50, durationMs: 10_000, windowMs: 50 };

test.for([
  ["windows shared through Redis", {}],
  ["each process throttling for itself", { redisUrl: null }],
] as const)(
  "16 processes with shuffled values on 50 jobs never lower a progress: %s",
  { timeout: 90_000 },
  async ([how, instead]) => {
    const { exitCodes, faults, ...figures } = await storm({ ...plan, instead });
    console.log(
      `P3/P5: 16 processes, 50 jobs, 10 s, ${how}: ${JSON.stringify(figures)}, faults ${JSON.stringify(faults)}`,
    );
    expect(exitCodes).toEqual(exitCodes.map(() => 0));
    expect(faults).toEqual(noFaults);
    // A storm that stored little would prove little. An idle machine of two cores stores thousands.
    expect(figures.changes).toBeGreaterThan(200);
    expect(figures.events).toBeGreaterThan(100);
    expect(figures.attempts).toBeGreaterThan(50);
  },
);

test("a lower value is rejected by name in the process that reported and in any other, and changes nothing", async () => {
  await using stage = await openStage({ rabbitmqUrl: null });
  const jobId = await stage.job();
  const [one, other] = await Promise.all([startPuppet(stage.address), startPuppet(stage.address)]);
  await one.call("startJob", jobId);
  await one.call("forceProgress", jobId, 60);
  await keepJournal(stage.db);
  for (const worker of [one, other]) {
    expect(await worker.call("forceProgress", jobId, 59)).toMatchObject({
      outcome: "rejected",
      error: { code: "PROGRESS_DECREASED", message: expect.stringContaining(`job "${jobId}": 59 % is less than the`) },
    });
  }
  expect(await journaledChanges(stage.db)).toEqual([]);
  for (const worker of [one, other]) worker.kill();
});

test("what a whole column cannot hold is floored: 99.9 is never 100", async () => {
  await using stage = await openStage({ rabbitmqUrl: null });
  const jobId = await stage.job();
  const worker = await startPuppet(stage.address);
  await worker.call("startJob", jobId);
  expect(await worker.call("forceProgress", jobId, 99.9)).toMatchObject({ outcome: "written", percent: 99 });
  expect(await stage.row(jobId)).toMatchObject({ progress: 99, status: "running" });
  worker.kill();
});
