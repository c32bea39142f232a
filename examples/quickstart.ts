import { createProgressReporter } from "worker-progress";

const reporter = createProgressReporter(process.env.DATABASE_URL, process.env.REDIS_URL, process.env.RABBITMQ_URL);
await reporter.migrate();
const { createJob, startJob, progress, completeJob, getJob } = reporter;

const jobId = await createJob({ type: "model" });
await startJob(jobId, "Beginning processing");
for (let frame = 1; frame <= 100; frame++) {
  void progress(jobId, frame, "processing", `Frame ${frame} of 100`, { frame }); // one write per 2 s, the newest
}
await completeJob(jobId, { output: "result.stl" }, "Success!");
console.log(await getJob(jobId));
await reporter.close();
