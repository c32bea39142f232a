// The same worker with the library, on the same table. node examples/migrating/after.ts <jobId>
import { legacyJobTable } from "worker-progress/postgres";
import { reporterFromEnvironment } from "../reporter-from-environment.ts";
import { render } from "./render.ts";

const reporter = reporterFromEnvironment({ postgres: { table: legacyJobTable } });
try {
  await reporter.run(Number(process.argv[2]), async (job) => {
    const output = await render((frame, of) => {
      job.throwIfCancelled();
      void job.progress((frame / of) * 100, "render", `Frame ${frame} of ${of}`, { frame });
    });
    await job.complete(output, "Rendered");
  });
} finally {
  await reporter.close();
}
