import { describe, expect, test } from "vitest";
import type { ProgressReporter } from "../../src/reporter/progress-reporter.js";
import { engineOn, withJobs } from "../engine/engine-on.js";

const invalid = (jobId: unknown) => ({ name: "WorkerProgressError", code: "INVALID_ARGUMENT", jobId });

describe("the methods of a reporter", () => {
  test("are bound: they work on their own, as plain functions did", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "7");
    const { startJob, progress, forceProgress, completeJob, getJob, flush, close } = reporter;
    await startJob(7, "Beginning");
    await progress(7, 50, "processing", "Halfway", { items: 100 });
    await forceProgress(7, 60);
    await completeJob(7, { output: "result.stl" }, "Success!");
    expect(await getJob(7)).toMatchObject({
      id: "7",
      status: "completed",
      progress: { percent: 100, message: "Success!" },
    });
    await flush();
    await close();
  });

  test("cannot be replaced", () => {
    const { reporter } = engineOn();
    expect(Object.isFrozen(reporter)).toBe(true);
  });

  test("know a job by its number, its bigint and its text", async () => {
    const { reporter, storage, clock } = engineOn();
    withJobs(storage, "42");
    await reporter.startJob(42);
    void reporter.progress(42n, 10);
    await clock.advance(0);
    expect(await reporter.progress("42", 5)).toMatchObject({ error: { code: "PROGRESS_DECREASED" } });
    await reporter.completeJob("42");
    expect(storage.job("42").status).toBe("completed");
  });
});

describe("a job id that names no job", () => {
  const nameless = [undefined, null, "", 1.5, Number.NaN, 2 ** 53, {}, true] as const;

  test.each(nameless)("%s is rejected by every report", async (id) => {
    const { reporter, storage } = engineOn();
    for (const report of [reporter.progress, reporter.forceProgress]) {
      expect(await report(id as never, 10)).toMatchObject({ outcome: "rejected", error: { code: "INVALID_ARGUMENT" } });
    }
    expect(storage.journal).toEqual([]);
  });

  test.each(nameless)("%s is refused by every change and read", async (id) => {
    const { reporter, storage } = engineOn();
    const calls: readonly ((id: never) => Promise<unknown>)[] = [
      reporter.startJob,
      reporter.completeJob,
      (id) => reporter.failJob(id, "E", "failed"),
      reporter.cancelJob,
      (id) => reporter.updateStatus(id, "queued"),
      (id) => reporter.run(id, () => 1),
      reporter.getJob,
    ];
    for (const call of calls) await expect(call(id as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(storage.journal).toEqual([]);
  });
});

describe("arguments of changes", () => {
  type Refused = readonly [string, (reporter: ProgressReporter) => Promise<unknown>];
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const refused: readonly Refused[] = [
    ["startJob with a message that is no text", ({ startJob }) => startJob("a", 5 as never)],
    ["startJob with attempt 0", ({ startJob }) => startJob("a", undefined, { attempt: 0 })],
    ["startJob with half an attempt", ({ startJob }) => startJob("a", undefined, { attempt: 1.5 })],
    ["startJob with a resume that is a word", ({ startJob }) => startJob("a", undefined, { resume: "no" as never })],
    ["startJob with an unknown ifRunning", ({ startJob }) => startJob("a", undefined, { ifRunning: "wait" as never })],
    ["completeJob with an output that refers to itself", ({ completeJob }) => completeJob("a", cycle)],
    ["completeJob with a function as output", ({ completeJob }) => completeJob("a", () => 1)],
    ["completeJob with 2 MB of output", ({ completeJob }) => completeJob("a", "x".repeat(2_000_000))],
    ["completeJob with a message that is no text", ({ completeJob }) => completeJob("a", null, {} as never)],
    ["failJob with a code that is no text", ({ failJob }) => failJob("a", 7 as never, "failed")],
    ["failJob with a message that is no text", ({ failJob }) => failJob("a", "E", new Error("x") as never)],
    ["failJob with NaN percent", ({ failJob }) => failJob("a", "E", "failed", { percent: Number.NaN })],
    ["cancelJob with a reason that is no text", ({ cancelJob }) => cancelJob("a", 5 as never)],
    ["updateStatus to a status there is not", ({ updateStatus }) => updateStatus("a", "done" as never)],
    [
      "updateStatus with a step that is no text",
      ({ updateStatus }) => updateStatus("a", "queued", { step: 1 as never }),
    ],
  ];

  test.each(refused)("%s is refused, naming the job, and changes nothing", async (_, call) => {
    const { reporter, storage } = engineOn();
    storage.put("a", { status: "running", attempt: 1 });
    const before = storage.job("a");
    await expect(call(reporter)).rejects.toMatchObject(invalid("a"));
    await expect(call(reporter)).rejects.toThrow(/^Cannot .* job "a": /);
    expect(storage.job("a")).toBe(before);
  });

  test("a start resumes what the attempt before stored where it is asked to", async () => {
    const { reporter, storage } = engineOn();
    storage.put("a", { status: "failed", progress: 40, attempt: 1 });
    expect((await reporter.startJob("a", undefined, { resume: true })).previous.percent).toBe(40);
    expect(storage.job("a").progress).toBe(40);
    await reporter.startJob("a");
    expect(storage.job("a").progress).toBe(0);
  });

  test("text with NUL and lone surrogates, and too much of it, is stored well-formed and cut", async () => {
    const { reporter, storage } = engineOn();
    withJobs(storage, "a");
    await reporter.startJob("a", `nul \0 and half \uD800 ${"x".repeat(1_000_000)}`);
    const { message } = storage.job("a");
    expect(message?.startsWith("nul \uFFFD and half \uFFFD x")).toBe(true);
    expect(message?.length).toBe(2_000);
    expect(message?.isWellFormed()).toBe(true);
  });
});

describe("creating and reading jobs", () => {
  test("a created job is pending and can be reported on", async () => {
    const { reporter } = engineOn();
    expect(await reporter.createJob({ id: "new", type: "model" })).toBe("new");
    expect(await reporter.getJob("new")).toMatchObject({ id: "new", type: "model", status: "pending", attempts: 0 });
    expect(await reporter.progress("new", 10)).toMatchObject({ outcome: "written" });
    await expect(reporter.createJob({ id: "new" })).rejects.toMatchObject({ code: "STORAGE_REJECTED" });
  });

  test("a job that there is not reads as null", async () => {
    expect(await engineOn().reporter.getJob("none")).toBeNull();
  });
});

describe("health", () => {
  test("says what waits, and why the storage is away", async () => {
    const { reporter, storage, publisher, clock } = engineOn();
    withJobs(storage, "a");
    publisher.away = true;
    await reporter.startJob("a");
    await reporter.progress("a", 5);
    void reporter.progress("a", 6);
    await clock.advance(0);
    expect(await reporter.health()).toMatchObject({
      storage: { state: "up", reason: null },
      events: { publisher: "down" },
      outbox: { waiting: 1 },
      jobs: { remembered: 1, unwritten: 1 },
    });
    storage.outage = "STORAGE_UNAVAILABLE";
    expect((await reporter.health()).storage).toEqual({ state: "down", reason: "The storage cannot be reached" });
  });
});
