import type { JobEventPayload } from "../../domain/event.js";
import type { JobStatus } from "../../domain/job-status.js";
import type { Line, Look, Span } from "../painted-line.js";
import type { DemoCounts, JobCourse } from "./demo-record.js";

/** A name and what it is, as in "database: PGlite". */
export type Fact = readonly [name: string, value: string];

const barWidth = 32;
const statusLooks: Partial<Record<JobStatus, Look>> = {
  running: "cyan",
  completed: "green",
  failed: "red",
  cancelled: "yellow",
  timeout: "red",
};

/** What is going to happen, and on what. */
export function headerLines(version: string, facts: readonly Fact[]): readonly Line[] {
  return [
    [],
    ["  ", ["bold", "worker-progress"], ["dim", ` ${version}  one job, reported on far more often than it is written`]],
    [],
    ...facts.map(([name, value]): Line => ["  ", ["dim", name.padEnd(10)], value]),
    [],
    ["  ", ["dim", eventColumns("time (UTC)", "job", "status", "percent", "previous → now", "event")]],
  ];
}

/** An event as it arrives. */
export function eventLine(event: JobEventPayload): Line {
  const { timestamp, status, progress, previous_status: before, previous_progress: from } = event;
  const change = before === status ? `${percentText(from)} → ${percentText(progress)}` : `${before} → ${status}`;
  const [time, job, name, percent, text, id] = eventCells(
    timestamp.slice(11, 23),
    String(event.job_id),
    status,
    percentText(progress),
    change,
    // The start of a UUIDv7 is its time: only the end tells two of one moment apart.
    `…${event.event_id.slice(-8)}`,
  );
  return ["  ", ["dim", time], job, [statusLooks[status] ?? "plain", name], percent, text, ["dim", id]];
}

/** The block below the events: a bar per job, as many as fit, and what was counted. */
export function liveLines(jobs: readonly JobCourse[], counts: DemoCounts, rows: number): readonly Line[] {
  const most = Math.max(1, Math.min(10, rows - 8));
  const unfinished = jobs.filter((job) => job.reported < 100);
  const shown = (unfinished.length > 0 ? unfinished : jobs).slice(0, most);
  const rest = jobs.length - shown.length;
  return [
    [],
    ...shown.map(barLine),
    ...(rest > 0 ? [["  ", ["dim", `and ${rest} more`]] satisfies Line] : []),
    [],
    ["  ", ...countSpans(counts)],
    ["  ", ["green", "█"], ["dim", " stored   "], ["green", "▒"], ["dim", " reported, written when the window ends"]],
  ];
}

/** The same in one line, for output that does not redraw. */
export function progressLine(jobs: readonly JobCourse[], counts: DemoCounts): Line {
  const [only] = jobs;
  const reported = jobs.reduce((sum, job) => sum + job.reported, 0) / Math.max(1, jobs.length);
  const what = jobs.length === 1 && only ? `${only.step}  ${only.message}` : `${jobs.length} jobs`;
  return ["  ", ["dim", "now".padEnd(13)], percentText(reported).padEnd(7), what, "  ", ...countSpans(counts)];
}

function barLine({ id, reported, stored, step, message }: JobCourse): Line {
  const whole = Math.floor((stored / 100) * barWidth);
  const ahead = Math.max(0, Math.floor((reported / 100) * barWidth) - whole);
  const bar: readonly Span[] = [
    ["green", "█".repeat(whole)],
    ["green", "▒".repeat(ahead)],
    ["dim", "░".repeat(Math.max(0, barWidth - whole - ahead))],
  ];
  const doing = step === "" ? "waiting for a worker" : `${step.padEnd(9)}  ${message}`;
  return ["  ", `job ${id}  `, ...bar, ["bold", percentText(reported).padStart(7)], `  ${doing}`];
}

function countSpans({ calls, created, started, progressWritten, ended, distinctIds }: DemoCounts): readonly Span[] {
  const counted = (count: number, what: string): readonly Span[] => [
    ["bold", count.toLocaleString("en-US")],
    ` ${what}`,
  ];
  return [
    ...counted(calls, "calls"),
    ["dim", "  ·  "],
    ...counted(created + started + progressWritten + ended, "writes"),
    ["dim", "  ·  "],
    ...counted(distinctIds, "events"),
  ];
}

/** "42 %". */
export function percentText(percent: number): string {
  return `${Math.floor(percent)} %`;
}

function eventColumns(...cells: Parameters<typeof eventCells>): string {
  return eventCells(...cells).join("");
}

function eventCells(time: string, job: string, status: string, percent: string, change: string, id: string) {
  return [time.padEnd(15), job.padEnd(6), status.padEnd(12), percent.padEnd(10), change.padEnd(24), id] as const;
}
