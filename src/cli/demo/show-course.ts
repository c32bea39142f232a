import type { Screen } from "../screen.js";
import { liveLines, reportLine } from "./demo-lines.js";
import type { DemoRecord } from "./demo-record.js";

const redrawMs = 80;
const lineMs = 1_000;

/** Shows how far the jobs are: a block that is drawn in place, or a line a second. Answers how to stop; twice is harmless. */
export function showCourse(record: DemoRecord, screen: Screen): () => void {
  const show = () => {
    const { jobs, counts } = record;
    if (screen.interactive) screen.live(liveLines(jobs, counts, screen.rows));
    else if (jobs.length > 0) screen.print([reportLine(new Date(), jobs, counts)]);
  };
  const timer = setInterval(show, screen.interactive ? redrawMs : lineMs);
  if (screen.interactive) show();
  return () => {
    clearInterval(timer);
    screen.end();
  };
}
