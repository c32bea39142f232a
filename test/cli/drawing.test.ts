import { describe, expect, test } from "vitest";
import { eventLine, liveLines, reportLine } from "../../src/cli/demo/demo-lines.js";
import type { DemoCounts, JobCourse } from "../../src/cli/demo/demo-record.js";
import { type Line, paint } from "../../src/cli/painted-line.js";
import { lastFrame, nextFrame } from "../../src/cli/screen-frame.js";

const plain = { width: Number.POSITIVE_INFINITY, color: false };
const escapes = new RegExp(`${String.fromCharCode(27)}\\[[\\d;?]*[A-Za-z]`, "g");

const counts: DemoCounts = {
  calls: 1_234,
  created: 1,
  started: 1,
  progressWritten: 3,
  ended: 0,
  eventsStored: 2,
  eventsReceived: 1,
  distinctIds: 1,
};

function course(id: string, changes: Partial<JobCourse> = {}): JobCourse {
  return { id, status: "running", reported: 50, stored: 25, step: "meshing", message: "Frame 1 of 2", ...changes };
}

function textOf(lines: readonly Line[]): string {
  return lines.map((line) => paint(line, plain)).join("\n");
}

describe("a painted line", () => {
  const line: Line = ["a ", ["green", "green"], ["dim", " and dim"]];

  test("has no escape sequence without colour", () => {
    expect(paint(line, plain)).toBe("a green and dim");
  });

  test("has the same text with colour", () => {
    const painted = paint(line, { ...plain, color: true });
    expect(painted).toContain("\x1b[32mgreen\x1b[39m");
    expect(painted.replaceAll(escapes, "")).toBe("a green and dim");
  });

  test.each([1, 2, 3, 5, 7, 8, 14])("is cut to %i columns, its escape sequences not counted", (width) => {
    const visible = paint(line, { width, color: true }).replaceAll(escapes, "");
    expect(visible.length).toBeLessThanOrEqual(width);
    expect(visible).toMatch(/…$/);
  });
});

describe("a frame", () => {
  test("goes back over exactly the lines of the one before", () => {
    const first = nextFrame(0, [], ["bar", "counts"]);
    const second = nextFrame(first.height, ["event"], ["bar", "counts"]);
    expect(first.output).not.toContain("F");
    expect(second.output).toBe("\x1b[?25l\x1b[2F\x1b[Jevent\nbar\ncounts\n");
    expect(second.height).toBe(2);
  });

  test("is taken away with the cursor given back", () => {
    expect(lastFrame(2)).toBe("\x1b[2F\x1b[J\x1b[?25h");
  });
});

describe("the demo's lines", () => {
  test("a bar shows what is stored, what is reported since, and what is left", () => {
    const [bar = ""] = textOf(liveLines([course("1")], counts, 24))
      .split("\n")
      .filter(Boolean);
    expect(bar).toContain(`${"█".repeat(7)}${"▒".repeat(7)}${"░".repeat(14)}`);
    expect(bar).toContain("50 %  meshing");
  });

  test("bars are as many as fit, unfinished jobs first, and the rest is counted", () => {
    const done = course("1", { status: "completed", stored: 100, reported: 100 });
    const jobs = [done, ...Array.from({ length: 20 }, (_, index) => course(String(index + 2)))];
    const text = textOf(liveLines(jobs, counts, 12));
    expect(text.match(/job \d+/g)).toEqual(["job 2", "job 3", "job 4", "job 5"]);
    expect(text).toContain("and 17 more");
  });

  test("a block is never higher than the terminal", () => {
    const jobs = Array.from({ length: 50 }, (_, index) => course(String(index)));
    for (const rows of [9, 10, 12, 24, 50]) expect(liveLines(jobs, counts, rows).length).toBeLessThan(rows);
  });

  test("counts are said in the singular where there is one", () => {
    expect(textOf(liveLines([course("1")], counts, 24))).toContain("1,234 calls  ·  5 writes  ·  1 event\n");
  });

  test("events and reports stand in the same columns", () => {
    const event = paint(
      eventLine({
        event_id: "019aa1b2-0000-7000-8000-0000deadbeef",
        event_type: "job.status.changed",
        timestamp: "2026-11-24T06:43:43.017Z",
        job_id: 1,
        status: "running",
        progress: 50,
        attempt: 1,
        previous_status: "running",
        previous_progress: 25,
        step: null,
        message: null,
      }),
      plain,
    );
    const report = paint(reportLine(new Date("2026-11-24T06:43:44.017Z"), [course("1")], counts), plain);
    expect(event).toMatch(/^ {2}06:43:43\.017 +1 +running +50 % +25 % → 50 % +…deadbeef$/);
    expect(event.length).toBeLessThan(80);
    expect(report.indexOf("50 %")).toBe(event.indexOf("50 %"));
    expect(report.indexOf("1,234")).toBe(event.indexOf("…"));
  });
});
