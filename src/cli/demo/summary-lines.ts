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
  const writes = created + started + progressWritten + ended;
  const each = `${created} created, ${started} started, ${progressWritten} of progress, ${ended} ended`;
  const repeated = eventsReceived - distinctIds;
  const row = (name: string, count: number, note: string): Line => [
    "  ",
    name.padEnd(25),
    ["bold", count.toLocaleString("en-US").padStart(9)],
    ["dim", `   ${note}`],
  ];
  return [
    [],
    ["  ", ["bold", "Summary"]],
    [],
    row("calls of progress()", calls, "none waited for a server"),
    row("database writes made", writes, `${each}; progress at most once in ${windowSeconds} s`),
    row("events stored", eventsStored, "each committed together with its change"),
    row("events received", eventsReceived, repeated === 0 ? "" : `${repeated} again, known by the id`),
    row(
      "distinct event ids",
      distinctIds,
      distinctIds === eventsStored ? "each stored event arrived" : "some are missing",
    ),
    [],
  ];
}

function jsonSpans(line: string): readonly Span[] {
  const [, indent = "", key, value = ""] = /^(\s*)("[^"]*"(?=:))?(.*)$/.exec(line) ?? [];
  return key === undefined ? [indent, value] : [indent, ["cyan", key], value];
}
