import { afterAll, beforeAll, expect, test } from "vitest";
import { noFaults } from "../guarantees/journal.js";
import { type Puppet, startPuppet } from "../guarantees/puppet.js";
import { startWorkerOn } from "../guarantees/start-worker-on.js";
import type { StormMessage, StormTask } from "../guarantees/workers/storm.js";
import { eventually } from "../support/eventually.js";
import { auditConsumed, auditStored } from "./audit.js";
import { earlierVersion, type OtherVersion } from "./earlier-version.js";
import { recordFigures } from "./figures.js";
import { openScene, type Scene } from "./scene.js";

/** As a worker that is not deployed anew for a while. Raise it when a version is no longer meant to run beside this one. */
const earlierCommit = "b1232d03ea4d3598047de0da3d565c4851ebac13";
/** No window ends and no lease is lost while a test runs, however loaded the machine is. */
const options = { windowMs: 60_000, redis: { timeoutMs: 5_000 }, relay: { leaseMs: 30_000, pollMs: 50 } };

let earlier: OtherVersion;

beforeAll(async () => {
  earlier = await earlierVersion(earlierCommit);
});

afterAll(() => earlier[Symbol.asyncDispose]());

/** All that was stored is told, once and in order. */
async function expectAllTold(scene: Scene): Promise<void> {
  const { faults, events } = await auditStored(scene);
  expect(faults).toEqual(noFaults);
  await eventually(async () =>
    expect(await auditConsumed(scene)).toMatchObject({
      events,
      missing: 0,
      invented: 0,
      outOfOrder: [],
      altered: 0,
      afterTheEnd: 0,
    }),
  );
}

test("two versions that report on the same jobs at once: nothing decreases, and each change is told once and in order", async () => {
  await using scene = await openScene();
  const jobIds = scene.passingJobIds.slice(0, 20);
  const task: StormTask = { jobIds, durationMs: 3_000, windowMs: 50 };
  const workers = await Promise.all(
    [earlier.worker, earlier.worker, {}, {}].map((version) =>
      startWorkerOn<StormMessage>("storm", scene.workerAddress, task, version),
    ),
  );
  await Promise.all(workers.map((worker) => worker.message(({ ready }) => ready === true)));
  for (const worker of workers) worker.send("go");
  for (const { exit } of workers) expect(await exit).toMatchObject({ code: 0 });
  await expectAllTold(scene);
  const [stored, consumer] = [await auditStored(scene), await auditConsumed(scene)];
  expect(stored.changes).toBeGreaterThan(50);
  const figures = {
    server: "worker",
    fault: `two versions side by side${earlier.isEarlier ? "" : " (two copies of one)"}`,
    stored,
    consumer,
  };
  recordFigures(figures);
});

test.each(["an earlier version to this one", "this version to an earlier one"])(
  "a job that goes from %s: one window, one attempt at a time, one relay",
  async (way) => {
    await using scene = await openScene();
    const { stage } = scene;
    const versions = way.startsWith("an earlier") ? [earlier.worker, {}] : [{}, earlier.worker];
    const [one, other] = (await Promise.all(
      versions.map((version) => startPuppet(scene.workerAddress, options, version)),
    )) as [Puppet, Puppet];
    for (const each of [one, other]) await each.call("migrate");

    const jobId = await stage.job();
    await one.call("startJob", jobId);
    expect(await one.job("progress", 10)).toMatchObject({ outcome: "written" });
    expect(await other.call("progress", jobId, 30)).toEqual({ outcome: "coalesced" });
    expect(await stage.row(jobId)).toMatchObject({ progress: 10 });
    await other.call("flush");
    expect(await stage.row(jobId)).toMatchObject({ progress: 30 });
    expect(await one.call("getJob", jobId)).toEqual(await other.call("getJob", jobId));

    expect(await other.call("startJob", jobId)).toBe(2);
    expect(await one.job("forceProgress", 90)).toMatchObject({ outcome: "rejected", error: { code: "STALE_ATTEMPT" } });
    await expect(one.job("complete")).rejects.toMatchObject({ code: "STALE_ATTEMPT" });
    await one.call("requestCancel", jobId, "Enough");
    expect(await other.aborted()).toMatchObject({ code: "JOB_CANCELLED" });
    await other.job("cancel", "Enough");
    expect(await stage.row(jobId)).toMatchObject({ status: "cancelled", attempts: 2 });
    await expectAllTold(scene);
    const { deliveries, events } = await auditConsumed(scene);
    expect(deliveries).toBe(events);
    for (const each of [one, other]) {
      each.send({ id: -1, name: "close", args: [] });
      each.send({ id: -2, name: "letGo", args: [] });
      expect(await each.exit).toMatchObject({ code: 0 });
    }
  },
);
