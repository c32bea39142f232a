import { once } from "node:events";
import { createServer } from "node:http";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openRecordedPage, startChromium, valuesOf } from "./chromium.js";
import { startDashboard } from "./dashboard-process.js";
import { openScene, type Scene } from "./scene.js";
import { browserTestMs, untilShown } from "./until-shown.js";

vi.setConfig({ testTimeout: browserTestMs });

let browser: Browser;
let scene: Scene;

beforeAll(async () => {
  [browser, scene] = await Promise.all([startChromium(), openScene()]);
});

afterAll(async () => {
  await scene?.close();
  await browser?.close();
});

test("the page of a killed server recovers by itself, and no bar goes backwards", async () => {
  const job = await scene.job();
  const worker = await scene.worker(job);
  worker.tell({ kind: "workTo", percent: 50, everyMs: 60 });
  const killed = await startDashboard(scene);
  await using recorded = await openRecordedPage(browser, killed.url);
  const { page } = recorded;
  const bar = page.getByRole("progressbar", { name: `model ${job}` });
  const value = async () => Number(await bar.getAttribute("aria-valuenow"));
  await untilShown(async () => expect(await value()).toBeGreaterThan(5));
  await page.evaluate("window.neverReloaded = true");

  await killed.kill();
  const connection = page.locator("#connection");
  await untilShown(async () => expect(await connection.textContent()).toMatch(/^Connection lost/));
  await page.getByRole("button", { name: `Cancel model ${job}` }).click();
  const problem = page.locator(".problem");
  await untilShown(async () => expect(await problem.textContent()).toBe("Not cancelled: the server is out of reach"));
  const bornMeanwhile = await scene.job("render");

  await using _restarted = await startDashboard(scene, { port: killed.port });
  await untilShown(async () => expect(await connection.textContent()).toBe("Live"));
  await page.locator(`#active #job-${bornMeanwhile}`).waitFor();
  worker.tell({ kind: "report", percent: 80 });
  await untilShown(async () => expect(await value()).toBe(80));
  worker.tell({ kind: "complete" });
  await page.locator(`#over #job-${job}`).waitFor();
  const values = valuesOf(await recorded.shown(), `model ${job}`);
  expect(values).toEqual(values.toSorted((a, b) => a - b));
  expect(values.slice(-2)).toEqual([80, 100]);
  expect(await page.evaluate("window.neverReloaded")).toBe(true);
  expect(recorded.errors).toEqual([]);
});

test("a page that a proxy answered with 502 meanwhile recovers too", async () => {
  const job = await scene.job();
  const killed = await startDashboard(scene);
  await using recorded = await openRecordedPage(browser, killed.url);
  const { page } = recorded;
  await page.locator(`#job-${job}`).waitFor();
  await killed.kill();
  const askedAt: number[] = [];
  const proxy = createServer((_, response) => {
    askedAt.push(performance.now());
    response.writeHead(502).end();
  }).listen(killed.port, "127.0.0.1");
  await once(proxy, "listening");
  await untilShown(() => expect(askedAt.length).toBeGreaterThanOrEqual(2));
  const [first, second] = askedAt as [number, number];
  expect(second - first, "it waited for half a minute of silence").toBeLessThan(20_000);
  proxy.close();
  proxy.closeAllConnections();
  await once(proxy, "close");
  await using _restarted = await startDashboard(scene, { port: killed.port });
  const worker = await scene.worker(job);
  worker.tell({ kind: "report", percent: 30 });
  const bar = page.getByRole("progressbar", { name: `model ${job}` });
  await untilShown(async () => expect(await bar.getAttribute("aria-valuenow")).toBe("30"));
});

test("a state older than the one shown changes nothing, and a new attempt begins again", async () => {
  await using dashboard = await startDashboard(scene);
  await using recorded = await openRecordedPage(browser, "about:blank");
  const { page } = recorded;
  const state = (attempts: number, percent: number, status = "running") => {
    const progress = { percent, step: "meshing", message: null, updated_at: null };
    return `event: job\ndata: ${JSON.stringify({ id: 7, type: "model", status, progress, attempts })}\n\n`;
  };
  // Each connection is lost after its states, as when a server dies; the next one knows only what was stored by then.
  const connections = [
    [state(1, 50)],
    [state(1, 30), state(1, 60), state(1, 60, "failed"), state(1, 55)],
    [state(2, 10), state(1, 70)],
  ];
  await page.route("**/jobs/events", (route) => {
    const states = connections.shift() ?? [];
    return route.fulfill({ contentType: "text/event-stream", body: `retry: 10\n\n${states.join("")}` });
  });
  await page.goto(dashboard.url);
  await untilShown(async () => expect(await page.locator(".attempt").textContent()).toBe("attempt 2"));
  const shown = await recorded.shown();
  expect(shown.map(({ attempt, status, value }) => `${attempt} ${status} ${value}`.trim())).toEqual([
    "running 50",
    "running 60",
    "failed 60",
    "attempt 2 running 10",
  ]);
});
