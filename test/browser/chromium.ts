import { type Browser, chromium, type Page } from "playwright-core";
import { findProgram } from "../support/server-programs.js";
import { chromium as chromiumTool, howToGetTool } from "../support/tool-plan.js";

// A browser in a test asks nobody outside for updates, and a container has no user namespaces for its sandbox.
const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts a headless Chromium. @throws Error that says how to get one, where there is none */
export async function startChromium(): Promise<Browser> {
  const executablePath = chromiumTool.programs.map(findProgram).find((path) => path !== null);
  if (executablePath === undefined) throw new Error(howToGetTool(chromiumTool));
  return chromium.launch({ executablePath, args });
}

/** What became of a bar: each value it ever showed, in order, with the status and attempt shown beside it. */
export interface ShownValue {
  readonly job: string;
  readonly attempt: string;
  readonly status: string;
  readonly value: number;
}

/** Opens a page that records its bars from the first one on, and collects its errors. */
export async function openRecordedPage(
  browser: Browser,
  url: string,
  options: Parameters<Browser["newContext"]>[0] = {},
): Promise<RecordedPage> {
  const context = await browser.newContext({ viewport: { width: 1000, height: 800 }, ...options });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.addInitScript({ path: new URL("record-bars.js", import.meta.url).pathname });
  await page.goto(url);
  return {
    page,
    errors,
    shown: () => page.evaluate<ShownValue[]>("window.shownValues"),
    [Symbol.asyncDispose]: () => context.close(),
  };
}

/** A page under test. */
export interface RecordedPage {
  readonly page: Page;
  /** What its scripts threw. */
  readonly errors: readonly string[];
  shown(): Promise<readonly ShownValue[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The values that the bar of a job showed in one attempt, oldest first. */
export function valuesOf(shown: readonly ShownValue[], job: string, attempt = ""): readonly number[] {
  return shown.filter((each) => each.job === job && each.attempt === attempt).map(({ value }) => value);
}
