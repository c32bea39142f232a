import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { startChromium } from "./chromium.js";
import { startToldDashboard, type ToldDashboard } from "./told-dashboard.js";
import { browserTestMs, untilShown } from "./until-shown.js";

vi.setConfig({ testTimeout: browserTestMs });

let browser: Browser;
let dashboard: ToldDashboard;
let page: Page;

beforeAll(async () => {
  browser = await startChromium();
});

beforeEach(async () => {
  dashboard = await startToldDashboard();
  page = await browser.newPage({ viewport: { width: 800, height: 600 } });
});

afterEach(async () => {
  await page.close();
  await dashboard[Symbol.asyncDispose]();
});

afterAll(() => browser?.close());

const waiting = { status: "pending", attempts: 0, started_at: null };
const cancelled = { status: "cancelled", finished_at: "2026-01-20T10:31:00Z" };
const cancelOf = (job: number) => page.getByRole("button", { name: new RegExp(` ${job}$`) });
const shownValue = async (job: number) =>
  Number(await page.getByRole("progressbar", { name: new RegExp(` ${job}$`) }).getAttribute("aria-valuenow"));
const problem = () => page.locator(".problem").textContent();
const titles = () => page.locator("h3").allTextContents();
const focused = () => page.evaluate<string>("document.activeElement.textContent");

/** Lets no time pass on the page but what a test lets pass. */
async function standingClock(): Promise<void> {
  await page.clock.install({ time: 0 });
  await page.clock.pauseAt(1_000);
}

test("a job that begins goes before those that wait, and the focus goes with it", async () => {
  dashboard.job(1, waiting);
  dashboard.job(2, waiting);
  await page.goto(dashboard.url);
  await cancelOf(2).focus();
  dashboard.job(2, { percent: 5 });
  await untilShown(async () => expect(await titles()).toEqual(["model 2", "model 1"]));
  expect(await focused()).toBe("Cancel model 2");
});

test("the first job that ends keeps the focus of who ended it with the keyboard, and is seen", async () => {
  for (let job = 1; job <= 20; job++) dashboard.job(job);
  await page.goto(dashboard.url);
  await cancelOf(1).focus();
  await page.keyboard.press("Enter");
  dashboard.job(1, cancelled);
  await untilShown(async () => expect(await focused()).toBe("model 1"));
  expect(await page.evaluate("scrollY")).toBeGreaterThan(0);
});

test("a page does not jump when the job that was cancelled with the mouse ends", async () => {
  for (let job = 1; job <= 20; job++) dashboard.job(job);
  await page.goto(dashboard.url);
  await cancelOf(1).click();
  dashboard.job(1, cancelled);
  await page.locator("#over #job-1").waitFor();
  expect(await focused()).toBe("model 1");
  expect(await page.evaluate("scrollY")).toBe(0);
});

test("why a job was not cancelled stays readable while it goes on, until it ends", async () => {
  dashboard.cancelAnswer = { status: 502, body: "<html>Bad gateway</html>" };
  dashboard.job(1, { percent: 10 });
  await page.goto(dashboard.url);
  await cancelOf(1).click();
  await untilShown(async () => expect(await problem()).toBe("Not cancelled: the server answered 502"));
  dashboard.job(1, { percent: 20 });
  await untilShown(async () => expect(await shownValue(1)).toBe(20));
  expect(await problem()).toBe("Not cancelled: the server answered 502");
  dashboard.job(1, { status: "completed", percent: 100 });
  await page.locator("#over #job-1").waitFor();
  expect(await problem()).toBe("");
});

test("why a job was not cancelled is the server's own reason where it gives one", async () => {
  dashboard.cancelAnswer = { status: 429, body: JSON.stringify({ detail: "The quota is used up for now" }) };
  dashboard.job(1);
  await page.goto(dashboard.url);
  await cancelOf(1).click();
  await untilShown(async () => expect(await problem()).toBe("Not cancelled: The quota is used up for now"));
  const news = page.locator("[aria-live=polite]");
  await untilShown(async () =>
    expect(await news.textContent()).toBe("model 1 was not cancelled: The quota is used up for now."),
  );
});

test("a button that is pressed twice asks once", async () => {
  dashboard.job(1);
  await page.goto(dashboard.url);
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.method()));
  await cancelOf(1).dblclick();
  const news = page.locator("[aria-live=polite]");
  await untilShown(async () => expect(await news.textContent()).toBe("model 1: cancelling."));
  expect(asked.filter((method) => method === "POST")).toHaveLength(1);
});

test("a cancellation that nobody answers is said to be unanswered, and can be asked for again", async () => {
  await page.addInitScript(`const wait = AbortSignal.timeout;
    AbortSignal.timeout = (ms) => wait.call(AbortSignal, ms / 100)`);
  await page.route("**/cancel", () => {});
  dashboard.job(1);
  await page.goto(dashboard.url);
  await cancelOf(1).click();
  await untilShown(async () => expect(await problem()).toBe("Not cancelled: no answer in 15 s, try again"));
  expect(await cancelOf(1).textContent()).toBe("Cancel model 1");
});

test("a job whose id is no plain word is cancelled by its own address", async () => {
  dashboard.job("1/events?a#b");
  await page.goto(dashboard.url);
  const asked = page.waitForRequest("**/cancel");
  await page.locator(".cancel").click();
  expect(new URL((await asked).url()).pathname).toBe("/api/v1/jobs/1%2Fevents%3Fa%23b/cancel");
});

test("a job that ended by itself before it was cancelled is not said to be refused", async () => {
  dashboard.job(1);
  await page.goto(dashboard.url);
  await page.route("**/cancel", async (route) => {
    dashboard.job(1, { status: "completed", percent: 100 });
    await page.locator("#over #job-1").waitFor();
    await route.fulfill({ status: 409 });
  });
  const answered = page.waitForResponse("**/cancel");
  await cancelOf(1).click();
  await answered;
  const news = page.locator("[aria-live=polite]");
  await untilShown(async () => expect(await news.textContent()).toBe("model 1: completed."));
  expect(await problem()).toBe("");
});

test("the next attempt of a job that was to be cancelled can be cancelled", async () => {
  dashboard.job(1, { percent: 50 });
  await page.goto(dashboard.url);
  await cancelOf(1).click();
  await untilShown(async () => expect(await cancelOf(1).textContent()).toBe("Cancelling… model 1"));
  dashboard.job(1, { percent: 5, attempts: 2 });
  await untilShown(async () => expect(await shownValue(1)).toBe(5));
  expect(await cancelOf(1).textContent()).toBe("Cancel model 1");
});

test("what was shown live stays where a lost connection ends in what was stored before it", async () => {
  dashboard.job(1, { percent: 60, message: "live" });
  dashboard.job(2, { percent: 60 });
  await page.goto(dashboard.url);
  await untilShown(async () => expect(await titles()).toHaveLength(2));
  dashboard.begin();
  dashboard.job(1, { percent: 55, message: "stored" });
  dashboard.job(2, { percent: 55, status: "failed" });
  await page.locator("#over #job-2").waitFor();
  expect(await page.locator("#active .message").textContent()).toBe("live");
  expect([await shownValue(1), await shownValue(2)]).toEqual([60, 60]);
});

test("a cancelled job that waits again can be cancelled again", async () => {
  dashboard.job(1, waiting);
  await page.goto(dashboard.url);
  await cancelOf(1).click();
  await untilShown(async () => expect(await cancelOf(1).textContent()).toBe("Cancelling… model 1"));
  dashboard.job(1, { ...waiting, ...cancelled });
  await page.locator("#over #job-1").waitFor();
  dashboard.job(1, waiting);
  await page.locator("#active #job-1").waitFor();
  expect(await cancelOf(1).textContent()).toBe("Cancel model 1");
  expect(await cancelOf(1).getAttribute("aria-disabled")).toBe("false");
});

test.each([
  ["that runs", { percent: 5, started_at: "2026-02-01T08:00:00Z" }, 5],
  ["that waits", waiting, 0],
])("a server that comes back with another job of the same id, one %s, is believed", async (_, other, percent) => {
  dashboard.job(1, { percent: 80, attempts: 2 });
  dashboard.job(2, { percent: 100, status: "completed" });
  await page.goto(dashboard.url);
  await untilShown(async () => expect(await titles()).toHaveLength(2));
  dashboard.begin();
  dashboard.job(1, other);
  dashboard.job(2, other);
  await untilShown(async () => expect([await shownValue(1), await shownValue(2)]).toEqual([percent, percent]));
});

test("a job that left the list leaves the page, and how many are not on it is said", async () => {
  dashboard.job(1);
  dashboard.job(2, waiting);
  await page.goto(dashboard.url);
  await untilShown(async () => expect(await titles()).toEqual(["model 1", "model 2"]));
  dashboard.list([1], 1_204);
  await untilShown(async () => expect(await titles()).toEqual(["model 1"]));
  expect(await page.locator("#counts").textContent()).toBe("1 running, 0 waiting, 1,204 more not shown");
});

test("a job that left the list stays as long as somebody is on it", async () => {
  dashboard.job(1);
  dashboard.job(2);
  await page.goto(dashboard.url);
  await cancelOf(2).focus();
  dashboard.list([1], 7);
  await untilShown(async () => expect(await page.locator("#counts").textContent()).toContain("7 more not shown"));
  expect(await focused()).toBe("Cancel model 2");
  await cancelOf(1).focus();
  dashboard.list([1]);
  await untilShown(async () => expect(await titles()).toEqual(["model 1"]));
});

test("a page without a job says so, as soon as it knows", async () => {
  await page.goto(dashboard.url);
  const empty = page.getByText("Nothing to do");
  await untilShown(async () => expect(await page.locator("#connection").textContent()).toBe("Live"));
  expect(await empty.isVisible()).toBe(false);
  dashboard.list([]);
  await empty.waitFor();
  dashboard.job(1);
  await empty.waitFor({ state: "hidden" });
});

test("what a page begins with is not read out, what changes is", async () => {
  for (const job of [1, 2]) dashboard.job(job);
  await page.goto(dashboard.url);
  await untilShown(async () => expect(await titles()).toHaveLength(2));
  dashboard.job(1, { status: "retrying" });
  const news = page.locator("[aria-live=polite]");
  await untilShown(async () => expect(await news.textContent()).not.toBe(""));
  expect(await news.textContent()).toBe("model 1: retrying.");
});

test("jobs that end at once are read out together", async () => {
  await standingClock();
  for (const job of [1, 2]) dashboard.job(job);
  await page.goto(dashboard.url);
  await untilShown(async () => expect(await titles()).toHaveLength(2));
  for (const job of [1, 2]) dashboard.job(job, cancelled);
  for (const job of [1, 2]) await page.locator(`#over #job-${job}`).waitFor();
  await page.clock.runFor(300);
  expect(await page.locator("[aria-live=polite]").textContent()).toBe("model 1: cancelled. model 2: cancelled.");
});

test("a server that says nothing for half a minute is taken for lost, and asked again", async () => {
  await page.clock.install();
  dashboard.job(1);
  await page.goto(dashboard.url);
  const connection = page.locator("#connection");
  await untilShown(async () => expect(await connection.textContent()).toBe("Live"));
  await page.evaluate(`new MutationObserver(() => { window.wasLost ||= document.body.classList.contains("lost"); })
    .observe(document.body, { attributes: true })`);
  await page.clock.runFor(32_000);
  await untilShown(async () => expect(await page.evaluate("window.wasLost")).toBe(true));
  await untilShown(async () => expect(await connection.textContent()).toBe("Live"));
  await untilShown(() => expect(dashboard.streams).toBe(1));
});

test("who comes back while the page waits to ask again is asked for once", async () => {
  await standingClock();
  let asked = 0;
  await page.route("**/jobs/events", (route) => {
    asked++;
    return asked === 1 ? route.fulfill({ status: 502 }) : route.continue();
  });
  await page.goto(dashboard.url);
  const connection = page.locator("#connection");
  await untilShown(async () => expect(await connection.textContent()).toMatch(/^Connection lost/));
  await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))");
  await untilShown(async () => expect(await connection.textContent()).toBe("Live"));
  await page.clock.runFor(10_000);
  dashboard.job(1);
  await page.locator("#job-1").waitFor();
  expect(asked).toBe(2);
});

test("the time left counts down by itself", async () => {
  await standingClock();
  dashboard.job(1, { eta: 75 });
  await page.goto(dashboard.url);
  const time = page.locator(".time");
  await untilShown(async () => expect(await time.textContent()).toBe("about 1 min 15 s left"));
  await page.clock.runFor(20_000);
  expect(await time.textContent()).toBe("about 55 s left");
  dashboard.job(1, { percent: 99, eta: 1 });
  await untilShown(async () => expect(await time.textContent()).toBe("about 1 s left"));
  await page.clock.runFor(5_000);
  expect(await time.textContent()).toBe("about 1 s left");
});

test("text from the right to the left is set as its writers read it", async () => {
  dashboard.job(1, { type: "نموذج", message: "جارٍ معالجة الإطار 50 من 100" });
  await page.goto(dashboard.url);
  await page.locator("#job-1").waitFor();
  const directions =
    "[...document.querySelectorAll('.job bdi, .job .message')].map((e) => getComputedStyle(e).direction)";
  expect(await page.evaluate(directions)).toEqual(["rtl", "rtl"]);
});

test("all text grows with the size that a reader has chosen", async () => {
  dashboard.job(1);
  await page.goto(dashboard.url);
  await page.locator("#job-1").waitFor();
  const sizes = () =>
    page.evaluate<number[]>(
      "[...document.querySelectorAll('body *')].map((e) => parseFloat(getComputedStyle(e).fontSize))",
    );
  const before = await sizes();
  await page.addStyleTag({ content: "html { font-size: 200% }" });
  expect(await sizes()).toEqual(before.map((size) => size * 2));
});

test("a page that was left lets its connection go, and has a new one when somebody comes back", async () => {
  dashboard.job(1);
  await page.goto(dashboard.url);
  await page.locator("#job-1").waitFor();
  await page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))");
  await untilShown(() => expect(dashboard.streams).toBe(0));
  await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))");
  await untilShown(() => expect(dashboard.streams).toBe(1));
});
