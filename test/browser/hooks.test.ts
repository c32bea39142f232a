import { readFile } from "node:fs/promises";
import type { Browser, Page } from "playwright-core";
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

/** Opens a page of a user's own, on the server of the jobs. */
async function openPage(query: string): Promise<Page> {
  const page = await browser.newPage();
  await page.route("**/mine", (route) =>
    route.fulfill({ contentType: "text/html", body: "<!doctype html><title>Mine</title>" }),
  );
  await page.goto(`${dashboard.url}mine`);
  await page.evaluate(`window.query = ${JSON.stringify(query)}`);
  await page.addScriptTag({ content: script });
  return page;
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

test.each(["use-job.js", "watch-job.js"])("docs/browser.md shows %s as it is tested here", async (file) => {
  const [page, code] = await Promise.all(
    [`docs/browser.md`, `examples/hooks/${file}`].map((path) =>
      readFile(new URL(`../../${path}`, import.meta.url), "utf8"),
    ),
  );
  expect(page).toContain(`\`\`\`js\n${code}\`\`\``);
});
