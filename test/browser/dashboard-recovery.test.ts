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

  await using _restarted = await startDashboard(scene, killed.port);
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
  let asked = 0;
  const proxy = createServer((_, response) => {
    asked++;
    response.writeHead(502).end();
  }).listen(killed.port, "127.0.0.1");
  await once(proxy, "listening");
  await untilShown(() => expect(asked).toBeGreaterThanOrEqual(2));
  proxy.close();
  proxy.closeAllConnections();
  await once(proxy, "close");
  await using _restarted = await startDashboard(scene, killed.port);
  const worker = await scene.worker(job);
  worker.tell({ kind: "report", percent: 30 });
  const bar = page.getByRole("progressbar", { name: `model ${job}` });
  await untilShown(async () => expect(await bar.getAttribute("aria-valuenow")).toBe("30"));
});
