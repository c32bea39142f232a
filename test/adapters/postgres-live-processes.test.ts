import { expect, test } from "vitest";
import { recorder } from "../../src/conformance/live-fixtures.js";
import { openStage } from "../guarantees/stage.js";
import { startWorker } from "../support/child-process.js";
import { liveProcess } from "./postgres-live-subject.js";

const fixture = new URL("./postgres-live.fixture.ts", import.meta.url);

test("a script that listens and simply ends is over within seconds, and others have heard what it stored", async () => {
  await using stage = await openStage({ redisUrl: null, rabbitmqUrl: null });
  const [jobId, watchedId] = [await stage.job(), await stage.job()];
  const { live, close } = liveProcess(stage.db, { warn: () => {} });
  const listener = recorder();
  await live.subscribe(jobId, listener);
  const worker = await startWorker(fixture, { args: [stage.address.databaseUrl, jobId, watchedId] });
  const exit = await worker.exit;
  expect(exit).toMatchObject({ code: 0, stderr: "" });
  expect(worker.messages).toMatchObject([{ status: "pending" }, "completed"]);
  // The connection that listens gives a sign of life every 5 s: one that held the process would hold it for good.
  expect(Number(exit.stdout)).toBeLessThan(4_000);
  await listener.hears(2);
  expect(listener.heard).toMatchObject([{ status: "running" }, { status: "completed", progress: 100 }]);
  await close();
});
