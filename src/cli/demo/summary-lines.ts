import type { JobView } from "../../domain/job-view.js";
import type { Line, Span } from "../painted-line.js";
import type { DemoCounts } from "./demo-record.js";

/** What `GET /api/v1/jobs/{id}` answers in the end. */
export function viewLines(view: JobView): readonly Line[] {
  const json = JSON.stringify(view, null, 2).split("\n");
  return [
    [],
    ["  ", ["bold", `GET /api/v1/jobs/${view.id}`]],
    [],
    ...json.map((line): Line => ["  ", ...jsonSpans(line)]),
  ];
}

/** What was counted, and what it means. */
export function summaryLines(counts: DemoCounts, windowSeconds: number): readonly Line[] {
  const { calls, created, started, progressWritten, ended, eventsStored, eventsReceived, distinctIds } = counts;
  const lifecycle = created + started + ended;
  const repeated = eventsReceived - distinctIds;
  return [
    [],
    ["  ", ["bold", "Summary"]],
    [],
    summaryLine("calls of progress()", calls, "none waited for a server"),
    summaryLine("database writes made", progressWritten + lifecycle, ""),
    summaryLine("  of progress", progressWritten, `at most one per job in ${windowSeconds} s`),
    summaryLine("  of the lifecycle", lifecycle, `${created} created, ${started} started, ${ended} ended`),
    summaryLine("events stored", eventsStored, "each committed together with its change"),
    summaryLine("events received", eventsReceived, repeated === 0 ? "" : `${repeated} again, known by the id`),
    summaryLine("distinct event ids", distinctIds, distinctIds === eventsStored ? "one for each stored event" : ""),
    [],
  ];
}

function summaryLine(name: string, count: number, note: string): Line {
  return ["  ", name.padEnd(24), ["bold", count.toLocaleString("en-US").padStart(9)], ["dim", `   ${note}`]];
}

function jsonSpans(line: string): readonly Span[] {
  const [, indent = "", key, value = ""] = /^(\s*)("[^"]*"(?=:))?(.*)$/.exec(line) ?? [];
  return key === undefined ? [indent, value] : [indent, ["cyan", key], value];
}
