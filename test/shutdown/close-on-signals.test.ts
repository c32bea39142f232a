import { constants } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStage, type Stage } from "../guarantees/stage.js";
import { viaProxy } from "../guarantees/via-proxy.js";
import { startWorker, type WorkerProcess } from "../support/child-process.js";
import type { ReportsUntilSignalledMessage, ReportsUntilSignalledTask } from "./workers/reports-until-signalled.js";

type Application = ReportsUntilSignalledTask["application"];
type Worker = WorkerProcess<ReportsUntilSignalledMessage>;

let stage: Stage;

beforeAll(async () => {
  // What waits for a broker is no news to a shutdown: the outbox keeps it.
  stage = await openStage({ rabbitmqUrl: null });
});
afterAll(() => stage.close());

const nothingLost = expect.not.stringContaining("Closed before");
const script = new URL("./workers/reports-until-signalled.ts", import.meta.url);

async function startReporting(
  jobIds: readonly string[],
  application: Application,
  { address = stage.address, windowMs = 60_000, closeTimeoutMs = 10_000 } = {},
): Promise<Worker> {
  const task: ReportsUntilSignalledTask = { jobIds, application, windowMs, closeTimeoutMs };
  const worker: Worker = await startWorker(script, { args: [JSON.stringify({ address, task })] });
  await worker.message(({ ready }) => ready === true);
  return worker;
}

describe("a worker that is told to end in the middle of a window", () => {
  test.each(["SIGTERM", "SIGINT"] as const)("stores the newest and ends by %s", async (signal) => {
    const jobId = await stage.job();
    const worker = await startReporting([jobId], "nothing");
    expect((await stage.row(jobId)).progress).toBe(1);
    worker.kill(signal);
    expect(await worker.exit).toMatchObject({ code: null, signal, stderr: nothingLost });
    expect((await stage.row(jobId)).progress).toBe(40);
  });

  test("closes all of its reporters before it ends", async () => {
    const jobIds = await stage.jobs(3);
    const worker = await startReporting(jobIds, "closes one reporter after the other");
    worker.kill("SIGTERM");
    expect(await worker.exit).toMatchObject({ code: null, signal: "SIGTERM" });
    const rows = await Promise.all(jobIds.map((jobId) => stage.row(jobId)));
    expect(rows.map(({ progress }) => progress)).toEqual([40, 40, 40]);
  });

  test("does what comes before closing, and stores what that reports", async () => {
    const jobId = await stage.job();
    const worker = await startReporting([jobId], "reports before the reporter closes");
    worker.kill("SIGTERM");
    expect(await worker.exit).toMatchObject({ code: null, signal: "SIGTERM", stderr: nothingLost });
    expect(await stage.row(jobId)).toMatchObject({ progress: 90, step: "last frame" });
  });

  test("waits for what comes before closing no longer than it is told, and says so", async () => {
    const jobId = await stage.job();
    const worker = await startReporting([jobId], "hangs before the reporter closes");
    worker.kill("SIGTERM");
    const { signal, stderr } = await worker.exit;
    expect(signal).toBe("SIGTERM");
    expect(stderr).toContain("What comes before closing did not end well { reason: 'it took longer than 300 ms' }");
    expect((await stage.row(jobId)).progress).toBe(40);
  });
});

describe("a worker that is told to end, whatever stands in the way,", () => {
  test("ends with a code by a signal that ends nobody", async () => {
    const jobId = await stage.job();
    const worker = await startReporting([jobId], "closes on SIGWINCH");
    worker.kill("SIGWINCH");
    expect(await worker.exit).toMatchObject({ code: 128 + constants.signals.SIGWINCH, signal: null });
    expect((await stage.row(jobId)).progress).toBe(40);
  });

  test("ends by the signal though its reporter does not close, and says so", async () => {
    const worker = await startReporting([await stage.job()], "cannot close");
    worker.kill("SIGTERM");
    const { signal, stderr } = await worker.exit;
    expect(signal).toBe("SIGTERM");
    expect(stderr).toContain("The reporter did not close { reason: 'not now' }");
  });
});

describe("an application that listens to the signal itself", () => {
  test.each(["listens itself", "listens once itself"] as const)(
    "… and %s decides when it ends",
    async (application) => {
      const jobId = await stage.job();
      const worker = await startReporting([jobId], application);
      worker.kill("SIGTERM");
      expect(await worker.exit).toMatchObject({ code: 7, signal: null, stderr: nothingLost });
      expect(worker.messages).toContainEqual({ heard: 1 });
      expect((await stage.row(jobId)).progress).toBe(40);
    },
  );

  test("… and hears it twice decides all the same", async () => {
    const worker = await startReporting([await stage.job()], "listens until it has heard twice");
    worker.kill("SIGTERM");
    await worker.message(({ hears }) => hears === true);
    worker.kill("SIGTERM");
    expect(await worker.exit).toMatchObject({ code: 7, signal: null, stderr: nothingLost });
    expect(worker.messages).toContainEqual({ heard: 2 });
  });

  test("… and ends when nothing is left to do is not held up, and finds the listeners gone", async () => {
    const worker = await startReporting([await stage.job()], "runs out");
    const began = performance.now();
    worker.kill("SIGTERM");
    expect(await worker.exit).toMatchObject({ code: 0, signal: null, stderr: nothingLost });
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(worker.messages.at(-1)).toEqual({ listeners: 0 });
  });
});

describe("with PostgreSQL away", () => {
  test.each(["refuse", "blackhole"] as const)(
    "it (%s) ends by the signal in time and says what is lost",
    async (fault) => {
      await using proxy = await closing(viaProxy(stage.address.databaseUrl));
      const jobId = await stage.job();
      const address = { ...stage.address, databaseUrl: proxy.url };
      const closeTimeoutMs = 3_000;
      const worker = await startReporting([jobId], "nothing", { address, closeTimeoutMs });
      await proxy[fault]();
      const began = performance.now();
      worker.kill("SIGTERM");
      const { signal, stderr } = await worker.exit;
      const tookMs = performance.now() - began;
      expect(signal).toBe("SIGTERM");
      expect(tookMs).toBeGreaterThan((2 / 3) * closeTimeoutMs);
      expect(tookMs).toBeLessThan((5 / 3) * closeTimeoutMs);
      expect(stderr).toContain("Closed before the newest progress was written: it is lost");
      expect(stderr).toContain(`count: 1, jobs: [ { jobId: '${jobId}', percent: 40 } ]`);
    },
  );

  test("a second signal ends it at once", async () => {
    await using proxy = await closing(viaProxy(stage.address.databaseUrl));
    const jobId = await stage.job();
    const address = { ...stage.address, databaseUrl: proxy.url };
    const worker = await startReporting([jobId], "tells that it closes", { address, closeTimeoutMs: 60_000 });
    await proxy.refuse();
    worker.kill("SIGTERM");
    // Of two signals that wait for a process it is not the first that it hears first.
    await worker.message(({ hears }) => hears === true);
    const isEnding = Promise.race([worker.exit, new Promise((resolve) => setTimeout(resolve, 300, "still closing"))]);
    expect(await isEnding).toBe("still closing");
    const began = performance.now();
    worker.kill("SIGINT");
    expect((await worker.exit).signal).toBe("SIGINT");
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

describe("nobody listens", () => {
  test("to signals unasked", async () => {
    const worker = await startReporting([await stage.job()], "asks for no helper");
    expect(worker.messages).toEqual([{ ready: true, listeners: 0 }]);
    worker.kill("SIGTERM");
    expect((await worker.exit).signal).toBe("SIGTERM");
  });

  test("once the helper is taken back", async () => {
    const worker = await startReporting([await stage.job()], "takes the helper back");
    expect(worker.messages).toEqual([{ ready: true, listeners: 0 }]);
    worker.kill("SIGTERM");
    expect((await worker.exit).signal).toBe("SIGTERM");
  });
});

test("a script that is never told to end loses nothing and does not hang for the helper", async () => {
  const jobId = await stage.job();
  const worker = await startReporting([jobId], "ends by itself", { windowMs: 500 });
  expect(await worker.exit).toMatchObject({ code: 0, signal: null, stderr: nothingLost });
  expect((await stage.row(jobId)).progress).toBe(40);
});

async function closing<T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T & AsyncDisposable> {
  const opened = await opening;
  return Object.assign(opened, { [Symbol.asyncDispose]: () => opened.close() });
}
