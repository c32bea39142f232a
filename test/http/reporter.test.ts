import { afterAll, beforeAll, expect, test } from "vitest";
import { createProgressReporter } from "../../src/create-progress-reporter.js";
import { toNodeHandler } from "../../src/http/node-handler.js";
import type { ProgressReporter } from "../../src/reporter/progress-reporter.js";
import { eventually } from "../support/eventually.js";
import { redisUrl, testDatabase, testKeyPrefix } from "../support/servers.js";
import { bodyOf, eventsOf } from "./ask.js";
import { checkedHandler } from "./checked-handler.js";
import { serve } from "./node-server.js";

const endings: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of endings.reverse()) await end();
});

type Stage = () => Promise<{ readonly worker: ProgressReporter; readonly api: ProgressReporter }>;

// Starting one takes seconds: all tests share it.
const reporter = createProgressReporter(null, null, null, { windowMs: 50 });
endings.push(() => reporter.close());
beforeAll(() => reporter.migrate());
const embedded: Stage = async () => ({ worker: reporter, api: reporter });

const onServers: Stage = async () => {
  const database = await testDatabase();
  endings.push(() => database.drop());
  // Else a pause of the process drops a live update, and watchers read again after ten seconds of silence.
  const redis = { keyPrefix: testKeyPrefix(), timeoutMs: 10_000 };
  const open = () => {
    const reporter = createProgressReporter(database.url, redisUrl(), null, { windowMs: 50, redis });
    endings.push(() => reporter.close());
    return reporter;
  };
  const [worker, api] = [open(), open()];
  await worker.migrate();
  return { worker, api };
};

test.each([
  ["an embedded reporter", embedded],
  ["PostgreSQL and Redis, between two reporters", onServers],
])("over %s a job is read, followed, cancelled and ended", async (_, stage) => {
  const { worker, api } = await stage();
  const { url } = await serve(toNodeHandler(checkedHandler(api)));
  const id = await worker.createJob({ type: "model" });
  const at = (path = "") => `${url}/api/v1/jobs/${id}${path}`;
  expect(await bodyOf(await fetch(at()))).toMatchObject({ id, status: "pending", attempts: 0 });

  const percents: number[] = [];
  const statuses: string[] = [];
  const following = (async () => {
    for await (const { data } of eventsOf(await fetch(at("/events")))) {
      if (data === undefined) continue;
      const state = JSON.parse(data);
      percents.push(state.progress.percent);
      statuses.push(state.status);
    }
  })();
  const job = await worker.startJob(id);
  await job.forceProgress(40, "slicing");
  await eventually(() => expect(percents.at(-1)).toBe(40));

  const cancelling = await fetch(at("/cancel"), { method: "POST" });
  expect([cancelling.status, (await bodyOf(cancelling)).cancel_requested]).toEqual([202, true]);
  await job.progress(60);
  await eventually(() => expect(job.signal.aborted).toBe(true));
  await job.cancel("Wrong file");
  await following;
  expect(statuses.at(-1)).toBe("cancelled");
  expect(percents).toEqual([...percents].sort((a, b) => a - b));
  expect((await fetch(at("/cancel"), { method: "POST" })).status).toBe(409);
  const response = await fetch(at());
  expect(response.headers.get("retry-after")).toBeNull();
  expect(await bodyOf(response)).toMatchObject({ status: "cancelled", progress: { message: "Wrong file" } });
});

test.each(["abc", "1e3", "042", "99999999999999999999", "1;drop table jobs", "..%2f..%2fetc", "-0", "0x10", "NaN"])(
  "over a column of numbers %j is no job",
  async (id) => {
    const handler = checkedHandler(reporter);
    for (const [path, method] of [
      ["", "GET"],
      ["/events", "GET"],
      ["/cancel", "POST"],
    ]) {
      const response = await handler(new Request(`http://api/api/v1/jobs/${id}${path}`, { method: String(method) }));
      expect([response.status, (await bodyOf(response)).code]).toEqual([404, "JOB_NOT_FOUND"]);
    }
  },
);

test("a reporter that is closed answers 503", async () => {
  const handler = checkedHandler(reporter);
  const id = await reporter.createJob();
  await reporter.close();
  const response = await handler(new Request(`http://api/api/v1/jobs/${id}/cancel`, { method: "POST" }));
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"]);
});
