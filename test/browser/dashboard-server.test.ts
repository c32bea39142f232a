import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
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

interface Listener {
  readonly told: Told[];
  /** From now on a page that was asleep reads. */
  wake(): void;
  stop(): void;
}

/** What the page's stream says. */
async function listen(reading: "awake" | "asleep" = "awake"): Promise<Listener> {
  const told: Told[] = [];
  const asked = request(`${dashboard.url}jobs/events`).end();
  asked.on("error", () => {});
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  response.on("error", () => {}).setEncoding("utf8");
  let text = "";
  const read = (chunk: string) => {
    const frames = (text + chunk).split("\n\n");
    text = frames.pop() ?? "";
    for (const frame of frames) {
      const [event, data] = frame.split("\n").map((line) => line.slice(line.indexOf(" ") + 1));
      told.push({ event: event ?? "", data: JSON.parse(data ?? "") });
    }
  };
  const wake = () => void response.on("data", read);
  if (reading === "awake") wake();
  return { told, wake, stop: () => asked.destroy() };
}

/** Holds up every statement on the jobs, until it is released. */
async function lockJobs(): Promise<{ release(): Promise<void>; [Symbol.asyncDispose](): Promise<void> }> {
  const client = await pool.connect();
  await client.query("begin; lock table worker_progress_jobs");
  let held = true;
  const release = async () => {
    if (held) await client.query("commit");
    if (held) client.release();
    held = false;
  };
  return { release, [Symbol.asyncDispose]: release };
}

async function waitingStatements(): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(`select count(*)::integer from pg_locks
    where not granted and relation = 'worker_progress_jobs'::regclass`);
  return rows[0]?.count ?? 0;
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

test("a server whose connections drop under its statements goes on", async () => {
  const id = await reporter.createJob({ type: "model" });
  await using lock = await lockJobs();
  const asked = statusFor("localhost", `/api/v1/jobs/${id}`).catch(() => {});
  await untilShown(async () => expect(await waitingStatements()).toBe(1));
  proxy.cut();
  await lock.release();
  await asked;
  await untilShown(async () => expect(await statusFor("localhost", `/api/v1/jobs/${id}`)).toBe(200));
});

test("all pages together ask for one list", async () => {
  await using lock = await lockJobs();
  const pages = [listen(), listen(), listen()];
  await untilShown(async () => expect(await waitingStatements()).toBeGreaterThan(0));
  for (let turn = 0; turn < 3; turn++) await statusFor("localhost", "/");
  expect(await waitingStatements()).toBe(1);
  await lock.release();
  for (const { stop } of await Promise.all(pages)) stop();
});

test("a page that is quiet hears its list again before it takes the server for lost", async () => {
  const { told, stop } = await listen();
  await untilShown(() => expect(told).toHaveLength(1));
  const firstAt = performance.now();
  await untilShown(() => expect(told).toHaveLength(2));
  expect(told[1]).toEqual(told[0]);
  expect(performance.now() - firstAt).toBeGreaterThan(5_000);
  expect(performance.now() - firstAt).toBeLessThan(30_000);
  stop();
});

test("a job that stands still, or is over, is told of once", async () => {
  const [over, still] = [await reporter.createJob({ type: "model" }), await reporter.createJob({ type: "model" })];
  await reporter.startJob(over);
  await reporter.completeJob(over);
  const { told, stop } = await listen();
  const times = (id: number | string) => told.filter(({ data }) => data.id === Number(id)).length;
  await untilShown(() => expect([times(over), times(still)]).toEqual([1, 1]));
  for (let look = 1; look <= 3; look++) {
    const born = await reporter.createJob({ type: "render" });
    await untilShown(() => expect(times(born)).toBe(1));
  }
  expect([times(over), times(still)]).toEqual([1, 1]);
  stop();
});

test("a job that could not be read is followed as soon as it can be", async () => {
  const rename = (from: string, to: string) =>
    pool.query(`alter table worker_progress_jobs rename column ${from} to ${to}`);
  const unreadable = await reporter.createJob({ type: "model" });
  await rename("message", "elsewhere");
  const { told, stop } = await listen();
  await untilShown(() => expect(told.map(({ data }) => data.ids)).toEqual([[String(unreadable)]]));
  await rename("elsewhere", "message");
  await untilShown(() => expect(told.some(({ data }) => data.id === Number(unreadable))).toBe(true));
  stop();
});

test("a page that reads nothing is kept the newest state of each job, and no more", async () => {
  await pool.query(`insert into worker_progress_jobs (type, status, attempts, started_at, output)
    select 'model', 'running', 1, now(), to_jsonb(repeat('x', 2000000)) from generate_series(1, 12)`);
  const [reader, sleeper] = [await listen(), await listen("asleep")];
  const messages = ({ told }: Listener) =>
    told.filter(({ data }) => data.id === 12).map(({ data }) => data.progress?.message);
  await untilShown(() => expect(messages(reader)).toHaveLength(1));
  for (const message of ["one", "two", "three", "four"]) {
    for (let id = 1; id <= 12; id++) await reporter.forceProgress(id, 0, "meshing", message);
    await untilShown(() => expect(messages(reader).at(-1)).toBe(message));
  }
  sleeper.wake();
  await untilShown(() => expect(messages(sleeper).at(-1)).toBe("four"));
  expect(messages(sleeper).length).toBeLessThan(4);
  for (const { stop } of [reader, sleeper]) stop();
  expect((await dashboard.end()).stderr).toBe("");
});

test("a page that has gone leaves nothing behind that asks the database", async () => {
  await reporter.createJob({ type: "model" });
  const { told, stop } = await listen();
  await untilShown(() => expect(told).toHaveLength(2));
  stop();
  await untilShown(() => expect(proxy.connections).toBe(0));
});

test("nobody at another machine is listened to", async () => {
  const options = { host: "127.0.0.2", port: dashboard.port, headers: { host: "localhost" } };
  const asked = new Promise((resolve, reject) => request(options, resolve).once("error", reject).end());
  await expect(asked).rejects.toThrow(/ECONNREFUSED|EADDRNOTAVAIL/);
});

test("a server that is told to end does so, with a page open and its database at work", async () => {
  await reporter.createJob({ type: "model" });
  const { told } = await listen();
  await untilShown(() => expect(told).toHaveLength(2));
  const toldAt = performance.now();
  expect(await dashboard.end()).toMatchObject({ code: 0, signal: null, stderr: "" });
  expect(performance.now() - toldAt, "a connection that was left ended by itself").toBeLessThan(8_000);
});

test("a server that cannot reach its database says it in a line and ends", async () => {
  const env = { DATABASE_URL: `postgresql://127.0.0.1:${await freePort()}/none`, REDIS_URL: "", RABBITMQ_URL: "" };
  const { exit } = await startWorker(dashboardServer, { env });
  const { code, stderr } = await exit;
  expect(code).toBe(1);
  expect(stderr).toMatch(/^The dashboard cannot begin: .*ECONNREFUSED.*\n$/);
});

test("the demo ends when it is told to, with a page open and its jobs at work", async () => {
  await using demo = await startDashboard({ databaseUrl: "", redisUrl: "" }, { args: ["--demo"] });
  await using recorded = await openRecordedPage(browser, demo.url);
  await recorded.page.locator('.job[data-status="running"]').first().waitFor();
  const toldAt = performance.now();
  const { code, stderr } = await demo.end();
  expect(performance.now() - toldAt).toBeLessThan(10_000);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining("could not be stored") });
});
