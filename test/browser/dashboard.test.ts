import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openRecordedPage, startChromium, valuesOf } from "./chromium.js";
import { type DashboardProcess, startDashboard } from "./dashboard-process.js";
import { openScene, type Scene } from "./scene.js";
import { browserTestMs, untilShown } from "./until-shown.js";

vi.setConfig({ testTimeout: browserTestMs });

let browser: Browser;
let scene: Scene;
let dashboard: DashboardProcess;

beforeAll(async () => {
  [browser, scene] = await Promise.all([startChromium(), openScene()]);
  dashboard = await startDashboard(scene);
});

afterAll(async () => {
  await dashboard?.[Symbol.asyncDispose]();
  await scene?.close();
  await browser?.close();
});

const cardOf = (page: Page, job: string) => page.locator(".job", { has: page.locator(`#job-${job}`) });
const barOf = (page: Page, job: string) => page.getByRole("progressbar", { name: new RegExp(` ${job}$`) });
const cancelOf = (page: Page, job: string) => page.getByRole("button", { name: `Cancel model ${job}`, exact: true });

async function shownValue(page: Page, job: string): Promise<number> {
  return Number(await barOf(page, job).getAttribute("aria-valuenow"));
}

async function textOf(page: Page, job: string, part: string): Promise<string> {
  return (await cardOf(page, job).locator(part).textContent()) ?? "";
}

/** So many that the test has no time for them unless the page is told at once, and not when it has heard nothing for ten seconds. */
const legs = [11, 22, 33, 44, 55, 66, 77, 88, 99];

test("the bars of running workers move to their end and never backwards", async () => {
  await using recorded = await openRecordedPage(browser, dashboard.url);
  const { page } = recorded;
  const jobs = await Promise.all(["model", "render"].map((type) => scene.job(type)));
  const workers = await Promise.all(jobs.map((job) => scene.worker(job)));
  for (const percent of legs) {
    for (const worker of workers) worker.tell({ kind: "workTo", percent, everyMs: 25 });
    for (const job of jobs) await untilShown(async () => expect(await shownValue(page, job)).toBe(percent));
  }
  for (const worker of workers) worker.tell({ kind: "complete" });
  const names = [`model ${jobs[0]}`, `render ${jobs[1]}`];
  for (const job of jobs) await page.locator(`#over #job-${job}`).waitFor();
  const shown = await recorded.shown();
  for (const name of names) {
    const values = valuesOf(shown, name);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    expect(values).toEqual(expect.arrayContaining(legs));
    expect(values.at(-1)).toBe(100);
    const statuses = shown.filter(({ job }) => job === name).map(({ status }) => status);
    expect(statuses).toContain("running");
    expect(statuses.at(-1)).toBe("completed");
  }
  expect(recorded.errors).toEqual([]);
});

test("a bar has a name, its bounds, its value, and says in words what the eye sees", async () => {
  const job = await scene.job();
  await using recorded = await openRecordedPage(browser, dashboard.url);
  const { page } = recorded;
  const bar = barOf(page, job);
  await bar.waitFor();
  expect(await bar.getAttribute("aria-valuetext")).toBe("0 %, pending");
  const worker = await scene.worker(job);
  worker.tell({ kind: "report", percent: 37.5, step: "meshing", message: "Half of the left wing" });
  await untilShown(async () => expect(await bar.getAttribute("aria-valuenow")).toBe("37"));
  expect(await bar.getAttribute("aria-valuemin")).toBe("0");
  expect(await bar.getAttribute("aria-valuemax")).toBe("100");
  expect(await bar.getAttribute("aria-valuetext")).toMatch(/^37 %, meshing/);
  expect(await textOf(page, job, ".percent")).toBe("37 %");
  expect(await textOf(page, job, ".step")).toBe("meshing");
  expect(await textOf(page, job, ".message")).toBe("Half of the left wing");
  expect(await textOf(page, job, ".status")).toBe("running");
  const [track, fill] = await Promise.all([bar.boundingBox(), bar.locator("div").boundingBox()]);
  await untilShown(async () => {
    const width = (await bar.locator("div").boundingBox())?.width ?? 0;
    expect(width / (track?.width ?? 0)).toBeCloseTo(0.375, 1);
  });
  expect(fill?.height).toBe(track?.height);
});

test("the cancel button ends a running worker, and its progress stays where it was", async () => {
  const job = await scene.job();
  const worker = await scene.worker(job);
  worker.tell({ kind: "report", percent: 40 });
  await using recorded = await openRecordedPage(browser, dashboard.url);
  const { page } = recorded;
  await untilShown(async () => expect(await shownValue(page, job)).toBe(40));
  await cancelOf(page, job).click();
  expect(await worker.ended).not.toBe("result");
  expect(await scene.row(job)).toEqual({ status: "cancelled", progress: 40 });
  await page.locator(`#over #job-${job}`).waitFor();
  expect(await textOf(page, job, ".status")).toBe("cancelled");
  expect(await shownValue(page, job)).toBe(40);
  expect(await cancelOf(page, job).count()).toBe(0);
});

test("a job is found and cancelled with the keyboard alone, the focus is kept and the change is read out", async () => {
  const job = await scene.job();
  const worker = await scene.worker(job);
  worker.tell({ kind: "workTo", percent: 99, everyMs: 400 });
  await using recorded = await openRecordedPage(browser, dashboard.url);
  const { page } = recorded;
  const button = cancelOf(page, job);
  await button.waitFor();
  const focused = () => page.evaluate<string>("document.activeElement.textContent");
  for (let presses = 0; (await focused()) !== `Cancel model ${job}`; presses++) {
    expect(presses, "the button is not within reach of the Tab key").toBeLessThan(20);
    await page.keyboard.press("Tab");
  }
  const outline = "getComputedStyle(document.activeElement).outlineWidth";
  expect(await page.evaluate<string>(outline)).toBe("3px");
  await page.keyboard.press("Enter");
  expect(await worker.ended).toBe("AbortError");
  await page.locator(`#over #job-${job}`).waitFor();
  expect(await focused()).toBe(`model ${job}`);
  const news = page.locator("[aria-live=polite]");
  await untilShown(async () => expect(await news.textContent()).toContain(`model ${job}: cancelled`));
});

test("a failed job says why, and its next attempt begins at 0 again", async () => {
  const job = await scene.job();
  await using recorded = await openRecordedPage(browser, dashboard.url);
  const { page } = recorded;
  const first = await scene.worker(job);
  first.tell({ kind: "report", percent: 60 });
  first.tell({ kind: "fail", code: "NO_LICENCE", message: "All seats are taken" });
  expect(await first.ended).toBe("Error");
  await untilShown(async () => expect(await textOf(page, job, ".problem")).toBe("NO_LICENCE: All seats are taken"));
  expect(await textOf(page, job, ".status")).toBe("failed");
  const second = await scene.worker(job);
  second.tell({ kind: "report", percent: 20 });
  await untilShown(async () => expect(await shownValue(page, job)).toBe(20));
  expect(await textOf(page, job, ".attempt")).toBe("attempt 2");
  await page.locator(`#active #job-${job}`).waitFor();
  expect(await cardOf(page, job).locator(".problem").isVisible()).toBe(false);
  second.tell({ kind: "complete" });
  await page.locator(`#over #job-${job}`).waitFor();
});

test("what a worker writes is text, and a narrow window needs no sideways scrolling", async () => {
  const job = await scene.job("a-type-that-somebody-made-very-long-indeed-and-without-a-space");
  const worker = await scene.worker(job);
  const message = `<img src=x onerror="document.title='owned'"> ${"unbroken".repeat(40)}`;
  worker.tell({ kind: "report", percent: 50, step: "s".repeat(60), message });
  for (const width of [360, 320]) {
    await using recorded = await openRecordedPage(browser, dashboard.url, { viewport: { width, height: 640 } });
    const { page } = recorded;
    await untilShown(async () => expect(await textOf(page, job, ".message")).toBe(message));
    expect(await page.locator(".job img").count()).toBe(0);
    expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(width);
    const clipped =
      "[...document.querySelectorAll('.words, .top')].filter((e) => e.scrollWidth > e.clientWidth).length";
    expect(await page.evaluate<number>(clipped)).toBe(0);
    const button = await cardOf(page, job).locator(".cancel").boundingBox();
    expect(button?.height).toBeGreaterThanOrEqual(44);
    expect(recorded.errors).toEqual([]);
  }
});

test("a person's wish for less motion and for the dark is respected", async () => {
  const job = await scene.job();
  const look = async (options: Parameters<typeof openRecordedPage>[2]) => {
    await using recorded = await openRecordedPage(browser, dashboard.url, options);
    await barOf(recorded.page, job).waitFor();
    const style =
      "[getComputedStyle(document.querySelector('.bar > div')).transitionDuration, getComputedStyle(document.body).backgroundColor]";
    return await recorded.page.evaluate<[string, string]>(style);
  };
  expect(await look({ reducedMotion: "no-preference", colorScheme: "light" })).toEqual(["0.25s", "rgb(244, 246, 249)"]);
  expect(await look({ reducedMotion: "reduce", colorScheme: "dark" })).toEqual(["0s", "rgb(18, 21, 27)"]);
});
