import { createProgressReporter } from "../../src/index.js";

// A process that begins a job and watches one for a moment, and then simply ends, without closing anything.
const [databaseUrl = "", jobId = "", watchedId = ""] = process.argv.slice(2);
const reporter = createProgressReporter(databaseUrl, null, null, { log: { warn() {} } });
await reporter.startJob(jobId);
for await (const view of reporter.watch(watchedId)) {
  process.send?.(view);
  break;
}
await reporter.completeJob(jobId);
process.send?.("completed");

const done = performance.now();
process.on("exit", () => console.log(performance.now() - done));
