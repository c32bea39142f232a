import { describe, expect, test } from "vitest";
import { engineOn, watch, withJobs } from "./engine-on.js";

describe("a forced report that goes along with a change", () => {
  test("is told that it is written, whatever is reported after it", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    storage.gate.close();
    const failed = reporter.failJob("a", "E", "failed");
    const forced = reporter.forceProgress("a", 40);
    await clock.advance(10);
    const late = reporter.forceProgress("a", 50);
    storage.gate.open();
    await failed;
    expect(await forced).toEqual({ outcome: "written", percent: 40, attempt: 1 });
    expect(await late).toMatchObject({ outcome: "rejected", error: { code: "JOB_FINISHED" } });
    expect(storage.job("a")).toMatchObject({ status: "failed", progress: 40 });
  });

  test("is written by itself when the change is refused", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "a");
    const zombie = await reporter.startJob("a");
    await reporter.startJob("a");
    const refused = zombie.complete();
    const forced = reporter.forceProgress("a", 40);
    await expect(refused).rejects.toMatchObject({ code: "STALE_ATTEMPT" });
    expect(await forced).toEqual({ outcome: "written", percent: 40, attempt: 2 });
  });

  test("is told what is written of it when the rest of the change is refused", async () => {
    const { reporter, storage } = engineOn();
    storage.put("a", { status: "queued" });
    storage.beforeCommit = ([write]) => {
      if (write?.next.status === "completed") storage.put("a", { status: "failed", progress: 40 });
    };
    const completed = reporter.completeJob("a");
    const forced = reporter.forceProgress("a", 40);
    await expect(completed).rejects.toMatchObject({ code: "JOB_FINISHED" });
    expect(await forced).toEqual({ outcome: "written", percent: 40, attempt: 0 });
  });

  test("is deferred when the change has to be tried again", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a");
    storage.failCommits(1, "before");
    const failed = watch(reporter.failJob("a", "E", "failed"));
    const forced = watch(reporter.forceProgress("a", 40));
    await clock.advance(0);
    expect(forced.value).toMatchObject({ outcome: "deferred", error: { code: "STORAGE_UNAVAILABLE" } });
    await clock.advance(2_000);
    expect(failed.error).toBeUndefined();
    expect(storage.job("a")).toMatchObject({ status: "failed", progress: 40 });
  });
});

test("a report that is forced while another is being written has a write and an answer of its own", async () => {
  const { reporter, storage, clock } = engineOn();
  withJobs(storage, "a");
  await reporter.startJob("a");
  storage.gate.close();
  const first = reporter.forceProgress("a", 40);
  await clock.advance(10);
  const second = reporter.forceProgress("a", 50);
  storage.gate.open();
  expect(await first).toMatchObject({ outcome: "written", percent: 40 });
  expect(await second).toMatchObject({ outcome: "written", percent: 50 });
});
