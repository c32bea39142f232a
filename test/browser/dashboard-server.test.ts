import { request } from "node:http";
import pg from "pg";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { createProgressReporter, type ProgressReporter } from "worker-progress";
import { startWorker } from "../support/child-process.js";
import { eventually } from "../support/eventually.js";
import { freePort } from "../support/free-port.js";
import { type TestDatabase, testDatabase } from "../support/servers.js";
import { type TcpProxy, tcpProxy } from "../support/tcp-proxy.js";
import { openRecordedPage, startChromium } from "./chromium.js";
import { type DashboardProcess, dashboardServer, startDashboard } from "./dashboard-process.js";
import { browserTestMs, untilShown } from "./until-shown.js";

vi.setConfig({ testTimeout: browserTestMs });

let browser: Browser;
let database: TestDatabase;
let proxy: TcpProxy;
let pool: pg.Pool;
let reporter: ProgressReporter;
let dashboard: DashboardProcess;

beforeAll(async () => {
  browser = await startChromium();
});

beforeEach(async () => {
  database = await testDatabase();
  proxy = await tcpProxy(database.url);
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  pool.on("error", () => {});
  reporter = createProgressReporter(pool);
  await reporter.migrate();
  const throughProxy = new URL(database.url);
  throughProxy.port = String(proxy.port);
  dashboard = await startDashboard({ databaseUrl: throughProxy.href, redisUrl: "" });
});

afterEach(async () => {
  await dashboard?.[Symbol.asyncDispose]();
  await proxy.close();
  await reporter.close();
  await pool.end();
  await database.drop();
});

afterAll(() => browser?.close());

interface Told {
  readonly event: string;
  readonly data: { id?: number; ids?: string[]; more?: number; status?: string; progress?: { message: string } };
}

/** What the page's stream says. */
async function listen(): Promise<{ told: Told[]; stop(): void }> {
  const stopping = new AbortController();
  const { body } = await fetch(`${dashboard.url}jobs/events`, { signal: stopping.signal });
  const told: Told[] = [];
  const read = async () => {
    let text = "";
    for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const frames = (text + chunk).split("\n\n");
      text = frames.pop() ?? "";
      for (const frame of frames) {
        const [event, data] = frame.split("\n").map((line) => line.slice(line.indexOf(" ") + 1));
        told.push({ event: event ?? "", data: JSON.parse(data ?? "") });
      }
    }
  };
  read().catch(() => {});
  return { told, stop: () => stopping.abort() };
}

function statusFor(host: string, path: string, method = "GET"): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port: dashboard.port, path, method, headers: { host } }, (response) => {
      response.destroy();
      resolve(response.statusCode);
    });
    sent.once("error", reject).end();
  });
}

test("a name that leads to this machine but is another's gets nothing, whatever it asks", async () => {
  const id = await reporter.createJob({ type: "model" });
  for (const host of [`foreign.example:${dashboard.port}`, "localhost.foreign.example", "foreign-localhost"]) {
    const asked = [
      statusFor(host, "/"),
      statusFor(host, "/jobs/events"),
      statusFor(host, `/api/v1/jobs/${id}`),
      statusFor(host, `/api/v1/jobs/${id}/cancel`, "POST"),
    ];
    expect(await Promise.all(asked)).toEqual([403, 403, 403, 403]);
  }
  expect(await statusFor(`localhost:${dashboard.port}`, `/api/v1/jobs/${id}`)).toBe(200);
});

test("there is nothing at any other path", async () => {
  const paths = [
    "/../server.ts",
    "/..%2fserver.ts",
    "/page.html",
    "/server.ts",
    "//",
    "/jobs/events/",
    "/%00",
    "/jobs",
  ];
  const statuses = await Promise.all(paths.map((path) => statusFor("localhost", path)));
  expect(statuses).toEqual(paths.map(() => 404));
});

test("the page's own script and style are the only ones that run on it", async () => {
  await using recorded = await openRecordedPage(browser, dashboard.url);
  const { page, errors } = recorded;
  await untilShown(async () => expect(await page.locator("#connection").textContent()).toBe("Live"));
  await page.evaluate(`document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.ran = 1'>");
    for (const tag of ["script", "style"]) document.body.append(Object.assign(document.createElement(tag),
      { textContent: tag === "script" ? "window.ran = 2" : "h1 { letter-spacing: 9px }" }));
    window.drawn = new Promise((resolve) => setTimeout(resolve, 200))`);
  await page.evaluate("window.drawn");
  expect(await page.evaluate("window.ran")).toBeUndefined();
  expect(await page.evaluate<string>("getComputedStyle(document.querySelector('h1')).letterSpacing")).not.toBe("9px");
  expect(await page.evaluate<string>("getComputedStyle(document.body).margin")).toBe("0px");
  expect(errors).toEqual([]);
});

test("of many jobs those at work are shown first, and the rest is counted", async () => {
  await pool.query("insert into worker_progress_jobs (type) select 'old' from generate_series(1, 3000)");
  await pool.query(`insert into worker_progress_jobs (type, status, attempts, started_at)
    select 'model', 'running', 1, now() from generate_series(1, 5)`);
  const { told, stop } = await listen();
  const [first] = await eventually(() => {
    const lists = told.filter(({ event }) => event === "jobs");
    expect(lists).not.toHaveLength(0);
    return lists;
  });
  expect(first?.data.ids?.slice(0, 6)).toEqual(["3001", "3002", "3003", "3004", "3005", "1"]);
  expect(first?.data.ids).toHaveLength(50);
  expect(first?.data.more).toBe(2_955);
  stop();
});

test("a job that ended is followed again when another attempt ended since", async () => {
  const id = await reporter.createJob({ type: "model" });
  const { told, stop } = await listen();
  const statuses = () => told.filter(({ event }) => event === "job").map(({ data }) => data.status);
  await reporter.startJob(id);
  await reporter.failJob(id, "NO_LICENCE", "All seats are taken");
  await untilShown(() => expect(statuses()).toContain("failed"));
  await pool.query("update worker_progress_jobs set status = 'completed', progress = 100, attempts = 2");
  await untilShown(() => expect(statuses().at(-1)).toBe("completed"));
  stop();
});

test("a job that has left the list is told of no more", async () => {
  const hidden = await reporter.createJob({ type: "model" });
  const { told, stop } = await listen();
  const saysOf = (id: number | string) => told.filter(({ data }) => data.id === Number(id)).map(({ data }) => data);
  await untilShown(() => expect(saysOf(hidden)).toHaveLength(1));
  await pool.query(`insert into worker_progress_jobs (type, status, attempts, started_at)
    select 'model', 'running', 1, now() from generate_series(1, 50)`);
  await untilShown(() => expect(told.findLast(({ event }) => event === "jobs")?.data.more).toBe(1));
  const listed = Number(hidden) + 1;
  for (const message of ["one", "two"]) {
    for (const id of [hidden, listed]) await reporter.forceProgress(id, 0, "waiting", message);
    await untilShown(() => expect(saysOf(listed).at(-1)?.progress?.message).toBe(message));
  }
  expect(saysOf(hidden)).toHaveLength(1);
  stop();
});

test("a page whose server has lost the database says so, until it is back", async () => {
  await reporter.createJob({ type: "model" });
  await using recorded = await openRecordedPage(browser, dashboard.url);
  const connection = recorded.page.locator("#connection");
  await untilShown(async () => expect(await connection.textContent()).toBe("Live"));
  await proxy.refuse();
  await untilShown(async () => expect(await connection.textContent()).toMatch(/^Connection lost/));
  await untilShown(async () => expect((await fetch(`${dashboard.url}jobs/events`)).status).toBe(503));
  expect(await connection.textContent()).toMatch(/^Connection lost/);
  await proxy.accept();
  const born = await reporter.createJob({ type: "render" });
  await recorded.page.locator(`#active #job-${born}`).waitFor();
  expect(await connection.textContent()).toBe("Live");
});

test("a server that cannot reach its database says it in a line and ends", async () => {
  const env = { DATABASE_URL: `postgresql://127.0.0.1:${await freePort()}/none`, REDIS_URL: "", RABBITMQ_URL: "" };
  const { exit } = await startWorker(dashboardServer, { env });
  const { code, stderr } = await exit;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^The dashboard cannot begin: .*ECONNREFUSED.*\n$/);
});

test("the demo ends when it is told to, with a page open and its jobs at work", async () => {
  const port = await freePort();
  const env = { DATABASE_URL: "", REDIS_URL: "", RABBITMQ_URL: "", PORT: String(port) };
  const child = await startWorker(dashboardServer, { args: ["--demo"], env });
  await using recorded = await eventually(() => openRecordedPage(browser, `http://127.0.0.1:${port}`), {
    timeoutMs: 40_000,
  });
  await recorded.page.locator('.job[data-status="running"]').first().waitFor();
  const toldAt = performance.now();
  child.kill("SIGTERM");
  const { code, stderr } = await child.exit;
  expect(performance.now() - toldAt).toBeLessThan(10_000);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining("could not be stored") });
});
