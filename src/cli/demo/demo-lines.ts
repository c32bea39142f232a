import type { JobEventPayload } from "../../domain/event.js";
import type { JobStatus } from "../../domain/job-status.js";
import type { Line, Look, Span } from "../painted-line.js";
import type { DemoCounts, JobCourse } from "./demo-record.js";

/** A name and what it is, as in "database: PGlite". */
export type Fact = readonly [name: string, value: string];

// What follows fits a terminal of 80 columns.
const barWidth = 28;
const statusLooks: Partial<Record<JobStatus, Look>> = {
  running: "cyan",
  completed: "green",
  failed: "red",
  cancelled: "yellow",
  timeout: "red",
};

/** What the program is and does. */
export function titleLines(version: string): readonly Line[] {
  return [
    [],
    ["  ", ["bold", "worker-progress"], ["dim", ` ${version}  progress reported far more often than it is written`]],
    [],
  ];
}

/** What it plays on, and the heads of the columns below. */
export function headerLines(facts: readonly Fact[]): readonly Line[] {
  const heads = eventCells("time (UTC)", "job", "status", "percent", "previous → now", "event id");
  return [
    ...facts.map(([name, value]): Line => ["  ", ["dim", name.padEnd(10)], value]),
    [],
    ["  ", ["dim", heads.join("")]],
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
  return [
    ...barLines(jobs, rows - 8),
    [],
    ["  ", ...countSpans(counts)],
    ["  ", ["green", "█"], ["dim", " stored   "], ["green", "▒"], ["dim", " reported, written when the window ends"]],
  ];
}

/** A bar per job, unfinished ones first, `most` or 10 of them at most. */
export function barLines(jobs: readonly JobCourse[], most: number): readonly Line[] {
  const unfinished = jobs.filter((job) => job.stored < 100);
  const shown = (unfinished.length > 0 ? unfinished : jobs).slice(0, Math.max(1, Math.min(10, most)));
  const rest = jobs.length - shown.length;
  const idWidth = Math.max(...shown.map((job) => job.id.length));
  return [
    [],
    ...shown.map((job) => barLine(job, idWidth)),
    ...(rest > 0 ? [["  ", ["dim", `and ${rest} more`]] satisfies Line] : []),
  ];
}

/** What workers say, as a line among the events, for output that does not redraw. */
export function reportLine(at: Date, jobs: readonly JobCourse[], counts: DemoCounts): Line {
  const [only] = jobs;
  const reported = jobs.reduce((sum, job) => sum + job.reported, 0) / Math.max(1, jobs.length);
  const one = jobs.length === 1 && only !== undefined;
  const [time, job, name, percent, step] = eventCells(
    at.toISOString().slice(11, 23),
    one ? only.id : "all",
    "reported",
    percentText(reported),
    one ? `${only.step}, ${only.message}` : `${jobs.length} jobs`,
    "",
  );
  return ["  ", ["dim", time], job, ["dim", name], percent, step, ...countSpans(counts)];
}

function barLine({ id, status, reported, stored, step, message }: JobCourse, idWidth: number): Line {
  const whole = Math.floor((stored / 100) * barWidth);
  const ahead = Math.max(0, Math.floor((reported / 100) * barWidth) - whole);
  const bar: readonly Span[] = [
    ["green", "█".repeat(whole)],
    ["green", "▒".repeat(ahead)],
    ["dim", "░".repeat(Math.max(0, barWidth - whole - ahead))],
  ];
  const percent = percentText(Math.max(reported, stored)).padStart(7);
  return ["  ", `job ${id.padEnd(idWidth)}  `, ...bar, ["bold", percent], "  ", ...doing(status, step, message)];
}

function doing(status: JobStatus, step: string, message: string): readonly Span[] {
  if (status === "queued") return [["dim", "waits for a worker"]];
  if (status === "running") return [step.padEnd(10), message];
  return [[statusLooks[status] ?? "plain", status.padEnd(10)], message];
}

function countSpans({ calls, created, started, progressWritten, ended, distinctIds }: DemoCounts): readonly Span[] {
  const counted = (count: number, one: string): readonly Span[] => [
    ["bold", count.toLocaleString("en-US")],
    ` ${one}${count === 1 ? "" : "s"}`,
  ];
  return [
    ...counted(calls, "call"),
    ["dim", "  ·  "],
    ...counted(created + started + progressWritten + ended, "write"),
    ["dim", "  ·  "],
    ...counted(distinctIds, "event"),
  ];
}

/** "42 %". */
export function percentText(percent: number): string {
  return `${Math.floor(percent)} %`;
}

function eventCells(time: string, job: string, status: string, percent: string, change: string, id: string) {
  const cell = (text: string, width: number) => `${text.padEnd(width - 1)} `;
  return [cell(time, 14), cell(job, 5), cell(status, 11), cell(percent, 9), cell(change, 29), id] as const;
}
