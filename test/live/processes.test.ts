import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JobView, ProgressReporter, ReporterOptions } from "worker-progress";
import { journaledChanges, keepJournal } from "../guarantees/journal.js";
import { openStage, type Stage } from "../guarantees/stage.js";
import type { StageAddress } from "../guarantees/stage-address.js";
import { reporterOn } from "../guarantees/workers/reporter-on.js";
import { eventually } from "../support/eventually.js";
import { startLiveWorker } from "./start-live-worker.js";
import { patient } from "./workers/patient.js";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage({ rabbitmqUrl: null });
  await keepJournal(stage.db);
});

afterAll(() => stage.close());

const silent = { log: { warn() {} } };
const never = 3_600_000;

async function using<T>(
  address: StageAddress,
  work: (reporter: ProgressReporter) => Promise<T>,
  options: ReporterOptions = { watchPollMs: never },
): Promise<T> {
  const reporter = reporterOn(address, { ...silent, ...patient, ...options });
  try {
    return await work(reporter);
  } finally {
    await reporter.close();
  }
}

describe.each([
  ["with Redis", () => stage.address],
  ["without Redis", () => ({ ...stage.address, redisUrl: null })],
])("%s", (_, addressOf) => {
  test("another process watches a job to its end, and never sees it fall", async () => {
    const address = addressOf();
    const jobId = await stage.job();
    const worker = await startLiveWorker(address, { jobId, pace: 0.5, options: { windowMs: 2_000 } });
    const views: JobView[] = [];
    await using(address, async (reporter) => {
      for await (const view of reporter.watch(jobId)) views.push(view);
    });
    expect(views.at(-1)).toMatchObject({ status: "completed", output: { file: "result.stl" } });
    const percents = views.map(({ progress }) => progress.percent);
    expect(percents).toEqual([...percents].sort((x, y) => x - y));
    const writes = (await journaledChanges(stage.db, jobId)).length;
    if (address.redisUrl === null) expect(new Set(percents).size).toBeGreaterThanOrEqual(2);
    else expect(new Set(percents).size).toBeGreaterThan(2 * writes);
    await worker.exit;
  });

  test("getJob of another process is as far as watching is", async () => {
    const address = addressOf();
    const jobId = await stage.job();
    const worker = await startLiveWorker(address, { jobId, pace: 0.5, options: { windowMs: 2_000 } });
    const seen: number[] = [];
    await using(address, async (reporter) => {
      for (let status = ""; status !== "completed"; ) {
        const view = (await reporter.getJob(jobId)) as JobView;
        seen.push(view.progress.percent);
        status = view.status;
      }
    });
    expect(seen).toEqual([...seen].sort((x, y) => x - y));
    const writes = (await journaledChanges(stage.db, jobId)).length;
    if (address.redisUrl !== null) expect(new Set(seen).size).toBeGreaterThan(2 * writes);
    await worker.exit;
  });

  test("a worker in another process hears of cancellation at once, not with its next write", async () => {
    const address = addressOf();
    const jobId = await stage.job();
    const worker = await startLiveWorker(address, { jobId, pace: 0.01, options: { windowMs: 30_000 } });
    await using(address, async (reporter) => {
      const asked = Date.now();
      await reporter.requestCancel(jobId, "Enough");
      const { aborted } = await worker.message((message) => message.aborted !== undefined);
      expect(aborted?.code).toBe("JOB_CANCELLED");
      expect((aborted?.at ?? Number.POSITIVE_INFINITY) - asked).toBeLessThan(2_000);
      expect(await reporter.getJob(jobId)).toMatchObject({ status: "running", cancel_requested: true });
    });
    worker.kill("SIGKILL");
  });

  test("a killed worker's job is found stalled and timed out; a living one's, which stands still, is not", async () => {
    const address = addressOf();
    const [living, killed] = [await stage.job(), await stage.job()];
    const task = { pace: 0, options: { windowMs: 100, heartbeatMs: 200 } };
    const workers = await Promise.all([living, killed].map((jobId) => startLiveWorker(address, { ...task, jobId })));
    workers[1]?.kill("SIGKILL");
    await using(address, async (reporter) => {
      const mine = (views: readonly JobView[]) =>
        views.map(({ id }) => String(id)).filter((id) => [living, killed].includes(id));
      const stalled = { olderThanMs: 3_000 };
      await eventually(async () => expect(mine(await reporter.findStalled(stalled))).toEqual([killed]));
      expect(mine(await reporter.timeoutStalled(stalled))).toEqual([killed]);
    });
    expect((await stage.row(killed)).status).toBe("timeout");
    expect((await stage.row(living)).status).toBe("running");
    workers[0]?.kill("SIGKILL");
  });
});

test("without notifications another process watches by the poll, and a worker hears of cancellation with its next write", async () => {
  const address = { ...stage.address, redisUrl: null };
  const polling = { postgres: { notify: false }, watchPollMs: 100 };
  const jobId = await stage.job();
  const worker = await startLiveWorker(address, { jobId, pace: 0.01, options: { ...polling, windowMs: 500 } });
  await using(
    address,
    async (reporter) => {
      for await (const view of reporter.watch(jobId)) if (view.progress.percent > 0) break;
      await reporter.requestCancel(jobId, "Enough");
      const { aborted } = await worker.message((message) => message.aborted !== undefined);
      expect(aborted?.code).toBe("JOB_CANCELLED");
    },
    polling,
  );
  worker.kill("SIGKILL");
});
