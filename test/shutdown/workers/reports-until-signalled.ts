import { closeOnSignals, type ProgressReporter } from "worker-progress";
import { reporterOn } from "../../guarantees/workers/reporter-on.js";
import { letGo, tell, workerTask } from "../../guarantees/workers/worker-task.js";

/** A worker with the newest progress of its jobs unwritten, where their windows are long. */
export interface ReportsUntilSignalledTask {
  /** One reporter each. */
  readonly jobIds: readonly string[];
  readonly windowMs: number;
  readonly closeTimeoutMs: number;
  /** What the application does besides. */
  readonly application:
    | "nothing"
    | "takes the helper back"
    | "asks for no helper"
    | "listens itself"
    | "listens once itself"
    | "listens until it has heard twice"
    | "reports before the reporter closes"
    | "hangs before the reporter closes"
    | "closes one reporter after the other"
    | "tells that it closes"
    | "runs out"
    | "closes on SIGWINCH"
    | "cannot close"
    | "ends by itself";
}

export interface ReportsUntilSignalledMessage {
  readonly ready?: true;
  /** What the application does on the signal has begun. */
  readonly hears?: true;
  /** How often the application's own listener was called when it was done. */
  readonly heard?: number;
  readonly listeners?: number;
}

const { address, task } = workerTask<ReportsUntilSignalledTask>();
const reporters = task.jobIds.map(() =>
  reporterOn(address, { windowMs: task.windowMs, heartbeatMs: false, closeTimeoutMs: task.closeTimeoutMs }),
);
const [jobId] = task.jobIds as [string];
const [reporter] = reporters as [ProgressReporter];
let heard = 0;
let begun = 0;

const twice = Promise.withResolvers<void>();

const finishWork = async () => {
  if (++heard === 2) twice.resolve();
  await tell({ hears: true });
  if (task.application === "listens until it has heard twice") await twice.promise;
  await new Promise((resolve) => setTimeout(resolve, 300));
  await reporter.close();
  await tell({ heard });
  process.exit(7);
};

const runOut = async () => {
  await reporter.close();
  await tell({ heard: 1 });
  await tell({ listeners: listeners() });
  letGo();
};

if (task.application === "runs out") process.once("SIGTERM", () => void runOut());
if (["listens itself", "listens until it has heard twice"].includes(task.application))
  process.on("SIGTERM", () => void finishWork());
if (task.application === "listens once itself") process.once("SIGTERM", () => void finishWork());

const before = {
  "reports before the reporter closes": () => void reporter.progress(jobId, 90, "last frame"),
  "tells that it closes": () => tell({ hears: true }),
  "hangs before the reporter closes": () => new Promise(() => {}),
  "closes one reporter after the other": () => new Promise((resolve) => setTimeout(resolve, 100 * begun++)),
}[task.application as string];

if (task.application === "closes on SIGWINCH") {
  closeOnSignals(reporter, { signals: ["SIGWINCH"] });
} else if (task.application === "cannot close") {
  closeOnSignals({ close: () => Promise.reject(new Error("not now")) });
} else if (task.application !== "asks for no helper") {
  const removals = reporters.map((each) => closeOnSignals(each, before && { before, beforeTimeoutMs: 300 }));
  if (task.application === "takes the helper back") for (const remove of removals) remove();
}

for (const [i, each] of reporters.entries()) {
  const id = task.jobIds[i] as string;
  await each.progress(id, 1);
  for (let percent = 2; percent <= 40; percent++) void each.progress(id, percent);
}
await tell({ ready: true, listeners: listeners() });
// The channel to the test keeps this process alive as jobs would.
if (task.application === "ends by itself") letGo();
else process.on("message", () => {});

function listeners(): number {
  return process.listenerCount("SIGTERM") + process.listenerCount("SIGINT");
}
