import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.js";
import { journaledChanges, journaledEvents, keepJournal } from "./journal.js";
import { type Puppet, startPuppet } from "./puppet.js";
import { openStage, type Stage } from "./stage.js";

const windowMs = 300;
let stage: Stage;

beforeAll(async () => {
  stage = await openStage({ rabbitmqUrl: null });
  await keepJournal(stage.db);
});

afterAll(() => stage.close());

/** A worker that lies frozen while another took its job over, with a value that it never wrote. */
async function frozenWorker(): Promise<{ readonly zombie: Puppet; readonly heir: Puppet; readonly jobId: string }> {
  const jobId = await stage.job();
  const [zombie, heir] = await Promise.all([
    startPuppet(stage.address, { windowMs }),
    startPuppet(stage.address, { windowMs }),
  ]);
  expect(await zombie.call("startJob", jobId)).toBe(1);
  expect(await zombie.job("progress", 20)).toMatchObject({ outcome: "written" });
  void zombie.call("reportAndFreeze", 80);
  await eventually(() => expect(stateOf(zombie.pid)).toBe("T"));
  expect(await heir.call("startJob", jobId)).toBe(2);
  expect(await heir.job("forceProgress", 40)).toMatchObject({ outcome: "written", attempt: 2 });
  return { zombie, heir, jobId };
}

function stateOf(pid: number): string | undefined {
  return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.[0];
}

async function storedOf(jobId: string) {
  return {
    row: await stage.row(jobId),
    changes: await journaledChanges(stage.db, jobId),
    events: await journaledEvents(stage.db, jobId),
  };
}

test("a zombie that wakes up cannot write the value it still held, and its signal fires", async () => {
  const { zombie, heir, jobId } = await frozenWorker();
  const before = await storedOf(jobId);
  expect(before.row).toMatchObject({ attempts: 2, progress: 40 });
  expect(before.changes.map(({ new_progress }) => new_progress)).toEqual([0, 20, 0, 40]);
  process.kill(zombie.pid, "SIGCONT");
  // Nothing is called: the window that ran out while it was frozen makes it try.
  expect(await zombie.aborted()).toMatchObject({ code: "STALE_ATTEMPT" });
  expect(await storedOf(jobId)).toEqual(before);
  for (const worker of [zombie, heir]) worker.kill();
});

test("a zombie cannot report, complete, fail or cancel the job, by its handle or without", async () => {
  const { zombie, heir, jobId } = await frozenWorker();
  const before = await storedOf(jobId);
  process.kill(zombie.pid, "SIGCONT");
  const stale = {
    code: "STALE_ATTEMPT",
    message: expect.stringContaining(`job "${jobId}": attempt 1 is stale, current attempt is 2`),
  };
  for (const change of [
    () => zombie.job("complete", { output: "result.stl" }),
    () => zombie.job("fail", "E_ZOMBIE", "Too late"),
    () => zombie.job("cancel"),
    () => zombie.call("completeJob", jobId),
    () => zombie.call("failJob", jobId, "E_ZOMBIE", "Too late"),
    () => zombie.call("updateStatus", jobId, "timeout"),
  ]) {
    await expect(change()).rejects.toMatchObject(stale);
  }
  for (const report of [
    () => zombie.job("progress", 90),
    () => zombie.job("forceProgress", 91),
    () => zombie.call("progress", jobId, 92),
    () => zombie.call("forceProgress", jobId, 93),
  ]) {
    // In a window that the heir holds a report is kept at first; it is refused when its turn comes.
    await eventually(async () => {
      expect(await report()).toMatchObject({ outcome: "rejected", error: { code: "STALE_ATTEMPT" } });
    });
  }
  expect(await zombie.aborted()).toMatchObject({ code: "STALE_ATTEMPT" });
  expect(await storedOf(jobId)).toEqual(before);
  await heir.job("complete");
  expect(await stage.row(jobId)).toMatchObject({ status: "completed", progress: 100, attempts: 2 });
  for (const worker of [zombie, heir]) worker.kill();
});

test("an attempt that its runner counts backwards is stale before it begins", async () => {
  const jobId = await stage.job();
  const worker = await startPuppet(stage.address);
  expect(await worker.call("startJob", jobId, { attempt: 3 })).toBe(3);
  await expect(worker.call("startJob", jobId, { attempt: 2 })).rejects.toMatchObject({ code: "STALE_ATTEMPT" });
  expect(await stage.row(jobId)).toMatchObject({ attempts: 3 });
  worker.kill();
});
