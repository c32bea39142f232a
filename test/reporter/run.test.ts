import { describe, expect, test } from "vitest";
import type { ProgressReporter } from "../../src/reporter/progress-reporter.js";
import { engineOn, watch, withJobs } from "../engine/engine-on.js";

function withJob() {
  const parts = engineOn();
  withJobs(parts.storage, "a", "other");
  const lastEvent = () => parts.storage.outbox.history.at(-1)?.payload;
  return { ...parts, job: () => parts.storage.job("a"), lastEvent };
}

describe("run", () => {
  test("starts the job, hands out its handle, and completes it with the result", async () => {
    const { reporter, job } = withJob();
    const result = await reporter.run("a", async (handle) => {
      expect([handle.id, handle.attempt, job().status]).toEqual(["a", 1, "running"]);
      await handle.progress(50);
      return { file: "a.stl" };
    });
    expect(result).toEqual({ file: "a.stl" });
    expect(job()).toMatchObject({ status: "completed", progress: 100, output: { file: "a.stl" } });
  });

  test("completes a job whose work answers nothing", async () => {
    const { reporter, job } = withJob();
    await reporter.run("a", () => undefined);
    expect(job()).toMatchObject({ status: "completed", output: null });
  });

  test("passes its options to the start", async () => {
    const { reporter, storage } = withJob();
    storage.put("a", { status: "running", attempt: 3 });
    const running = reporter.run("a", () => 1, { ifRunning: "reject" });
    await expect(running).rejects.toMatchObject({ code: "JOB_RUNNING" });
    expect(await reporter.run("a", (handle) => handle.attempt, { attempt: 7 })).toBe(7);
  });

  test("fails the job with the error's code and message, without its stack, and throws the error on", async () => {
    const { reporter, job, lastEvent } = withJob();
    const error = Object.assign(new Error("disk full"), { code: "ENOSPC" });
    await expect(reporter.run("a", () => Promise.reject(error))).rejects.toBe(error);
    expect(job()).toMatchObject({ status: "failed", errorCode: "ENOSPC", errorMessage: "disk full" });
    expect(lastEvent()).toMatchObject({ status: "failed", error_code: "ENOSPC", error_message: "disk full" });
    expect(JSON.stringify([job(), lastEvent()])).not.toContain("run.test");
  });

  test.each([
    [new TypeError("no mesh"), "TypeError", "no mesh"],
    ["just text", "Error", "just text"],
    [Object.assign(new Error("exit"), { code: 2 }), "2", "exit"],
    [Object.assign(new TypeError("no code"), { code: "" }), "TypeError", "no code"],
    [undefined, "Error", "undefined"],
  ])("fails the job when the work throws %s", async (thrown, code, message) => {
    const { reporter, job } = withJob();
    const work = () => {
      throw thrown;
    };
    await expect(reporter.run("a", work)).rejects.toBe(thrown);
    expect(job()).toMatchObject({ status: "failed", errorCode: code, errorMessage: message });
  });

  test.each([
    ["an object without a prototype", Object.create(null), "Error"],
    ["an error whose message is one", Object.assign(new TypeError(), { message: Object.create(null) }), "TypeError"],
  ])("fails the job when the work throws %s", async (_, thrown, code) => {
    const { reporter, job } = withJob();
    await expect(reporter.run("a", () => Promise.reject(thrown))).rejects.toBe(thrown);
    const errorMessage = "something that cannot be printed";
    expect(job()).toMatchObject({ status: "failed", errorCode: code, errorMessage });
  });

  test("fails a job whose result is no JSON, with INVALID_ARGUMENT", async () => {
    const { reporter, job } = withJob();
    await expect(reporter.run("a", () => 10n)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(job()).toMatchObject({ status: "failed", errorCode: "INVALID_ARGUMENT", output: null });
  });

  test("cancels the job when its work ends because cancellation was requested", async () => {
    const { reporter, storage, job } = withJob();
    const running = reporter.run("a", async (handle) => {
      storage.put("a", { cancelRequested: true });
      await handle.progress(30);
      handle.throwIfCancelled();
    });
    await expect(running).rejects.toMatchObject({ code: "JOB_CANCELLED" });
    expect(job()).toMatchObject({ status: "cancelled", progress: 30, errorCode: null });
  });

  test("cancels with the error's message when the work throws another error for it", async () => {
    const { reporter, storage, job } = withJob();
    const running = reporter.run("a", async (handle) => {
      storage.put("a", { cancelRequested: true });
      await handle.progress(30);
      if (handle.signal.aborted) throw new Error("stopped at frame 30");
    });
    await expect(running).rejects.toThrow("stopped at frame 30");
    expect(job()).toMatchObject({ status: "cancelled", message: "stopped at frame 30" });
  });

  test("changes nothing once its attempt is fenced off", async () => {
    const { reporter, storage, clock, job } = withJob();
    const other = engineOn({ clock, storage });
    const running = reporter.run("a", async (handle) => {
      await other.reporter.startJob("a");
      await handle.progress(30);
      handle.throwIfCancelled();
    });
    await expect(running).rejects.toMatchObject({ code: "STALE_ATTEMPT" });
    expect(job()).toMatchObject({ status: "running", attempt: 2, progress: 0 });
  });

  test("does not complete what another attempt has taken over", async () => {
    const { reporter, storage, clock, job } = withJob();
    const other = engineOn({ clock, storage });
    const running = reporter.run("a", async () => {
      await other.reporter.startJob("a");
      return "stale result";
    });
    await expect(running).rejects.toMatchObject({ code: "STALE_ATTEMPT" });
    expect(job()).toMatchObject({ status: "running", attempt: 2, output: null });
  });

  test.each([
    ["completes", "completed"],
    ["fails", "failed"],
    ["cancels", "cancelled"],
  ])("leaves a job alone that its worker %s itself", async (how, status) => {
    const { reporter, job } = withJob();
    await reporter.run("a", async (handle) => {
      if (how === "completes") await handle.complete("mine");
      else if (how === "fails") await handle.fail("E", "mine");
      else await handle.cancel("mine");
      return "not mine";
    });
    expect(job()).toMatchObject({ status, output: how === "completes" ? "mine" : null });
  });

  test("fails its job for what went wrong with another one", async () => {
    const { reporter, job } = withJob();
    const running = reporter.run("a", async () => {
      await reporter.startJob("other");
      await reporter.completeJob("other");
      await reporter.completeJob("other");
    });
    await expect(running).rejects.toMatchObject({ code: "JOB_FINISHED", jobId: "other" });
    expect(job()).toMatchObject({ status: "failed", errorCode: "JOB_FINISHED" });
  });

  test("does not call a job failed whose completion could not be stored", async () => {
    const { reporter, storage, clock, job } = withJob();
    const running = watch(
      reporter.run("a", () => {
        storage.outage = "STORAGE_UNAVAILABLE";
        return "result";
      }),
    );
    await clock.advance(15_000);
    expect(running.error).toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    storage.outage = null;
    await clock.advance(15_000);
    expect(job().status).toBe("running");
  });

  test("does not call a job failed whose completion lost to other writers each time", async () => {
    const { reporter, storage, clock, job } = withJob();
    const running = watch(
      reporter.run("a", async (handle) => {
        await handle.progress(10);
        let percent = 10;
        storage.beforeCommit = (writes) => {
          if (writes[0]?.next.status === "completed") storage.put("a", { progress: ++percent });
        };
      }),
    );
    await clock.advance(1_000);
    expect(running.error).toMatchObject({ code: "CONFLICT" });
    expect(job().status).toBe("running");
  });

  test.each([
    [
      "another attempt has taken over",
      "STALE_ATTEMPT",
      async ({ startJob }: ProgressReporter) => void (await startJob("a")),
    ],
    ["somebody else has ended", "JOB_FINISHED", ({ failJob }: ProgressReporter) => failJob("a", "E", "theirs")],
  ])("throws what the storage says of a job that %s, and nothing else is said", async (_, code, meanwhile) => {
    const { reporter, storage, clock, log } = withJob();
    const running = reporter.run("a", async () => {
      await meanwhile(engineOn({ clock, storage }).reporter);
    });
    await expect(running).rejects.toMatchObject({ code });
    expect(log.warnings).toEqual([]);
  });

  test("throws that the reporter was closed, and nothing else is said", async () => {
    const { reporter, log } = withJob();
    const running = reporter.run("a", async () => {
      await reporter.close();
    });
    await expect(running).rejects.toMatchObject({ code: "REPORTER_CLOSED" });
    expect(log.warnings).toEqual([]);
  });

  test("throws the work's own error though it could not be stored, which an operator is told", async () => {
    const { reporter, storage, clock, log } = withJob();
    const running = watch(
      reporter.run("a", () => {
        storage.outage = "STORAGE_UNAVAILABLE";
        throw new Error("disk full");
      }),
    );
    await clock.advance(15_000);
    expect(running.error).toMatchObject({ message: "disk full" });
    expect(log.warnings).toContain('Job "a" ended with an error that could not be stored');
  });

  test("ends the job after all when its worker could not end it itself", async () => {
    const { reporter, job } = withJob();
    await expect(reporter.run("a", (handle) => handle.complete(10n))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(job()).toMatchObject({ status: "failed", errorCode: "INVALID_ARGUMENT" });
  });

  test("has nothing to say of work that throws after it has ended its job itself", async () => {
    const { reporter, job, log } = withJob();
    const running = reporter.run("a", async (handle) => {
      await handle.fail("E", "mine");
      throw new Error("on the way out");
    });
    await expect(running).rejects.toThrow("on the way out");
    expect(job()).toMatchObject({ status: "failed", errorCode: "E" });
    expect(log.warnings).toEqual([]);
  });

  test("has nothing to say of work that throws something else once its attempt is fenced off", async () => {
    const { reporter, storage, clock, job, log } = withJob();
    const other = engineOn({ clock, storage });
    const running = reporter.run("a", async (handle) => {
      await other.reporter.startJob("a");
      await handle.progress(30);
      throw new Error("stopped");
    });
    await expect(running).rejects.toThrow("stopped");
    expect(job()).toMatchObject({ status: "running", attempt: 2 });
    expect(log.warnings).toEqual([]);
  });

  test("completes the job when its work takes no notice of the signal, or lets the error go", async () => {
    const { reporter, storage, job } = withJob();
    const result = await reporter.run("a", async (handle) => {
      storage.put("a", { cancelRequested: true });
      await handle.progress(30);
      expect(handle.throwIfCancelled).toThrow();
      return "all the same";
    });
    expect(result).toBe("all the same");
    expect(job()).toMatchObject({ status: "completed", cancelRequested: true, output: "all the same" });
  });

  test("fails the job when its work threw before it heard of the request", async () => {
    const { reporter, storage, job } = withJob();
    const running = reporter.run("a", () => {
      storage.put("a", { cancelRequested: true });
      throw new Error("broken");
    });
    await expect(running).rejects.toThrow("broken");
    expect(job()).toMatchObject({ status: "failed", errorMessage: "broken", cancelRequested: true });
  });

  test.each([
    ["the signal's reason", (signal: AbortSignal) => signal.reason],
    ["what Node's functions throw", () => new DOMException("This operation was aborted", "AbortError")],
    ["an error that the reason caused", (signal: AbortSignal) => new Error("stopped", { cause: signal.reason })],
  ])("takes %s for no reason of its own", async (_, errorOf) => {
    const { reporter, storage, job } = withJob();
    const running = reporter.run("a", async ({ progress, signal }) => {
      storage.put("a", { cancelRequested: true });
      await progress(30, "mesh", "Frame 30");
      throw errorOf(signal);
    });
    await expect(running).rejects.toThrow();
    expect(job()).toMatchObject({ status: "cancelled", message: "Frame 30" });
  });
});
