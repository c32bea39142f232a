import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/eventually.js";
import { journaledChanges, keepJournal } from "./journal.js";
import { type Puppet, startPuppet } from "./puppet.js";
import { openStage, type Stage } from "./stage.js";
import { startWorkerOn } from "./start-worker-on.js";
import type { EndsByItselfTask } from "./workers/ends-by-itself.js";

const never = 3_600_000;
let stage: Stage;
const puppets: Puppet[] = [];

beforeAll(async () => {
  stage = await openStage();
  await keepJournal(stage.db);
});

afterAll(async () => {
  for (const puppet of puppets) puppet.kill();
  await stage.close();
});

async function startedWorker(windowMs: number): Promise<{ readonly worker: Puppet; readonly jobId: string }> {
  const jobId = await stage.job();
  const worker = await startPuppet(stage.address, { windowMs });
  puppets.push(worker);
  await worker.call("startJob", jobId);
  await openWindow(worker, jobId);
  return { worker, jobId };
}

/** What is reported from here on finds its window taken. */
async function openWindow(worker: Puppet, jobId: string): Promise<void> {
  expect(await worker.call("progress", jobId, 1)).toMatchObject({ outcome: "written", percent: 1 });
}

test("the newest of a window is written when the window ends, without another call", async () => {
  const { worker, jobId } = await startedWorker(500);
  await worker.call("climb", jobId, 2, 60);
  await eventually(async () => expect(await stage.row(jobId)).toMatchObject({ progress: 60, step: "step 60" }));
  const stored = (await journaledChanges(stage.db, jobId)).map(({ new_progress }) => new_progress);
  expect(stored).toEqual([0, 1, 60]);
});

test("a lifecycle call writes what its window still holds", async () => {
  const { worker, jobId } = await startedWorker(never);
  await worker.call("climb", jobId, 2, 63);
  await worker.call("failJob", jobId, "E_MESH", "The mesh has holes");
  expect(await stage.row(jobId)).toMatchObject({ status: "failed", progress: 63, step: "step 63" });
});

test("flush() writes what every window still holds, and answers that nothing is left", async () => {
  const { worker, jobId } = await startedWorker(never);
  const other = await stage.job();
  await openWindow(worker, other);
  await worker.call("climb", jobId, 2, 41);
  await worker.call("climb", other, 2, 42);
  expect(await worker.call("flush")).toEqual([]);
  expect(await stage.row(jobId)).toMatchObject({ progress: 41, step: "step 41" });
  expect(await stage.row(other)).toMatchObject({ progress: 42, step: "step 42" });
});

test("close() writes what every window still holds", async () => {
  const { worker, jobId } = await startedWorker(never);
  await worker.call("climb", jobId, 2, 37);
  expect(await worker.call("close")).toEqual({ unwritten: [], unpublished: false });
  expect(await stage.row(jobId)).toMatchObject({ progress: 37, step: "step 37" });
});

test.for<readonly [string, Partial<Stage["address"]>, EndsByItselfTask["end"]]>([
  ["a database URL that simply ends", { redisUrl: null, rabbitmqUrl: null }, "silent"],
  ["three URLs that simply ends", {}, "silent"],
  ["three URLs that closes the reporter", {}, "closes"],
  ["clients of its own that closes the reporter and them", {}, "closes its clients"],
])("a script with %s exits and has its last value stored", async ([, instead, end]) => {
  const jobId = await stage.job();
  const address = { ...stage.address, ...instead };
  const script = await startWorkerOn("ends-by-itself", address, { jobId, last: 77, end } satisfies EndsByItselfTask);
  expect(await script.exit).toMatchObject({ code: 0, stderr: expect.not.stringContaining("Error") });
  expect(await stage.row(jobId)).toMatchObject({ status: "running", progress: 77 });
});
