import { readFile } from "node:fs/promises";
import type { Browser, Page, Route } from "playwright-core";
import { build } from "tsup";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { startChromium } from "./chromium.js";
import { type DashboardProcess, startDashboard } from "./dashboard-process.js";
import { openScene, type Scene } from "./scene.js";
import { browserTestMs, untilShown } from "./until-shown.js";

vi.setConfig({ testTimeout: browserTestMs });

let browser: Browser;
let scene: Scene;
let dashboard: DashboardProcess;
let script: string;

const streamOf = "**/api/v1/jobs/*/events";

beforeAll(async () => {
  [browser, scene, script] = await Promise.all([startChromium(), openScene(), bundled("hooks-page.js")]);
  dashboard = await startDashboard(scene);
});

afterAll(async () => {
  await dashboard?.[Symbol.asyncDispose]();
  await scene?.close();
  await browser?.close();
});

/** As a user's bundler makes it: one file for the browser, React and the hook in it. */
async function bundled(file: string): Promise<string> {
  const outDir = `${inject("run").folder}/${file}`;
  await build({
    config: false,
    silent: true,
    entry: { page: new URL(file, import.meta.url).pathname },
    outDir,
    format: "iife",
    platform: "browser",
    noExternal: [/.*/],
    env: { NODE_ENV: "development" }, // in which StrictMode runs every effect twice
    dts: false,
  });
  return readFile(`${outDir}/page.global.js`, "utf8");
}

/** Opens a page of a user's own, on the server of the jobs, whose streams `answer` answers where it is given. */
async function openPage(query: string, answer?: (route: Route) => Promise<void>): Promise<Page> {
  const page = await browser.newPage();
  await page.route("**/mine", (route) =>
    route.fulfill({ contentType: "text/html", body: "<!doctype html><title>Mine</title>" }),
  );
  if (answer !== undefined) await page.route(streamOf, answer);
  await page.goto(`${dashboard.url}mine`);
  if (query !== "") await show(page, query);
  return page;
}

/** Runs the user's script: the kind of the hook, and the job that it shows. */
async function show(page: Page, query: string): Promise<void> {
  await page.evaluate(`window.query = ${JSON.stringify(query)}`);
  await page.addScriptTag({ content: script });
}

test.each(["react", "plain"])(
  "%s: a page shows a job live, from where it is to its end, and then lets go",
  async (kind) => {
    const job = await scene.job();
    const worker = await scene.worker(job);
    worker.tell({ kind: "report", percent: 25, step: "meshing" });
    const page = await openPage(`${kind} ${job}`);
    const shown = () => page.locator("output").textContent();
    await untilShown(async () => expect(await shown()).toBe("running 25 meshing"));
    worker.tell({ kind: "report", percent: 75, step: "writing" });
    await untilShown(async () => expect(await shown()).toBe("running 75 writing"));
    worker.tell({ kind: "complete" });
    await untilShown(async () => expect(await shown()).toBe("completed 100 writing"));
    await untilShown(async () => expect(await page.evaluate("window.openSources()")).toBe(0));
    await page.close();
  },
);

test("react: another job's state is never shown for the one asked for, and its stream is closed", async () => {
  const [first, second] = [await scene.job(), await scene.job()];
  const page = await openPage(`react ${first}`);
  await untilShown(async () => expect(await page.locator("output").textContent()).toBe("pending 0 "));
  expect(await page.evaluate<string>(`window.showJob(${JSON.stringify(second)})`)).toBe("waiting");
  await untilShown(async () => expect(await page.locator("output").textContent()).toBe("pending 0 "));
  expect(await page.evaluate("window.openSources()")).toBe(1);
  await page.evaluate("window.leave()");
  expect(await page.evaluate("window.openSources()")).toBe(0);
  await page.close();
});

test("react: an id that is no plain word is asked for as one", async () => {
  const page = await openPage("react");
  const asked = page.waitForRequest("**/events");
  await page.evaluate(`window.showJob("1/2?a#b")`);
  expect(new URL((await asked).url()).pathname).toBe("/api/v1/jobs/1%2F2%3Fa%23b/events");
  await page.close();
});

test("react: nothing is asked while there is no id", async () => {
  const job = await scene.job();
  const page = await openPage("react");
  expect(await page.locator("output").textContent()).toBe("waiting");
  expect(await page.evaluate("window.everOpened()")).toBe(0);
  await page.evaluate(`window.showJob(${JSON.stringify(job)})`);
  await untilShown(async () => expect(await page.locator("output").textContent()).toBe("pending 0 "));
  await page.close();
});

test.each([401, 404, 502])("plain: a page that is answered %s asks again after a while", async (status) => {
  const job = await scene.job();
  let asked = 0;
  const page = await openPage("", (route) => (++asked === 1 ? route.fulfill({ status }) : route.continue()));
  await page.clock.install({ time: 0 });
  await page.clock.pauseAt(1_000);
  await show(page, `plain ${job}`);
  await untilShown(async () => expect(await page.evaluate("window.openSources()")).toBe(0));
  await page.clock.runFor(1_900);
  expect(await page.evaluate("window.everOpened()")).toBe(1);
  await page.clock.runFor(200);
  await untilShown(async () => expect(await page.locator("output").textContent()).toBe("pending 0 "));
  await page.close();
});

test("plain: who has left while it waits to ask again asks no more", async () => {
  const page = await openPage("", (route) => route.fulfill({ status: 502 }));
  await page.clock.install({ time: 0 });
  await page.clock.pauseAt(1_000);
  await show(page, "plain 7");
  await untilShown(async () => expect(await page.evaluate("window.openSources()")).toBe(0));
  await page.evaluate("window.leave()");
  await page.clock.runFor(10_000);
  expect(await page.evaluate("window.everOpened()")).toBe(1);
  await page.close();
});

test("plain: a state older than the one shown is not shown, and the stream is let go before the last one is", async () => {
  const state = (attempts: number, percent: number, status = "running") =>
    `data: ${JSON.stringify({ id: 7, status, attempts, progress: { percent } })}\n\n`;
  const connections = [[state(1, 50)], [state(1, 30), state(1, 60), state(2, 10), state(2, 100, "completed")]];
  const page = await openPage("", (route) => {
    const body = `retry: 10\n\n${(connections.shift() ?? []).join("")}`;
    return route.fulfill({ contentType: "text/event-stream", body });
  });
  await page.clock.install({ time: 0 });
  await page.clock.pauseAt(1_000);
  await show(page, "plain 7");
  const calls = () => page.evaluate("window.calls");
  await untilShown(async () =>
    expect(await calls()).toEqual([
      { percent: 50, openSources: 1 },
      { percent: 60, openSources: 1 },
      { percent: 10, openSources: 1 },
      { percent: 100, openSources: 0 },
    ]),
  );
  await page.clock.runFor(10_000);
  expect(await page.evaluate("window.everOpened()"), "the browser reconnects by itself").toBe(1);
  await page.close();
});

test.each(["use-job.js", "watch-job.js"])("docs/browser.md shows %s as it is tested here", async (file) => {
  const [page, code] = await Promise.all(
    [`docs/browser.md`, `examples/hooks/${file}`].map((path) =>
      readFile(new URL(`../../${path}`, import.meta.url), "utf8"),
    ),
  );
  expect(page).toContain(`\`\`\`js\n${code}\`\`\``);
});
