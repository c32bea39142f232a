// Makes one model: node examples/cad-worker.ts [jobId]
// On the servers of DATABASE_URL, REDIS_URL and RABBITMQ_URL, embedded without them.
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobHandle } from "worker-progress";
import { reporterFromEnvironment } from "./reporter-from-environment.ts";

const rows = Array.from({ length: 60 }, (_, row) => row);
const layers = 40;
const layerMs = Number(process.env.LAYER_MS ?? 20);

const reporter = reporterFromEnvironment();
await reporter.migrate();
const jobId = process.argv[2] ?? (await reporter.createJob({ type: "model" }));
try {
  await reporter.run(jobId, makeModel);
} catch (error) {
  console.error(`Job ${jobId} did not complete: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
console.log(JSON.stringify(await reporter.getJob(jobId)));
await reporter.close();

/** What it returns is the job's output, what it throws fails the job; a cancelled job ends as cancelled. */
async function makeModel(job: JobHandle): Promise<object> {
  const [loading, meshing, slicing, exporting] = [
    job.range(0, 10),
    job.range(10, 40),
    job.range(40, 90),
    job.range(90, 100),
  ];
  const heights: number[][] = [];
  for await (const y of loading.track(rows, { step: "load" })) heights.push(rows.map((x) => heightAt(x, y)));

  const facets: string[] = [];
  for await (const y of meshing.track(rows.slice(1), { step: "mesh" })) facets.push(...facetsOfRow(heights, y));

  for (let layer = 1; layer <= layers; layer++) {
    job.throwIfCancelled();
    await sleep(layerMs, undefined, { signal: job.signal }); // stands for the slicer
    void slicing.progress((layer / layers) * 100, "slice", `Layer ${layer} of ${layers}`, { layer });
  }

  const file = join(tmpdir(), `model-${job.id}-${job.attempt}.stl`);
  await exporting.forceProgress(0, "export", `Writing ${facets.length} facets`);
  await writeFile(file, `solid model\n${facets.join("")}endsolid model\n`, { signal: job.signal });
  return { file, facets: facets.length, layers };
}

function heightAt(x: number, y: number): number {
  return 10 + 5 * Math.sin(x / 7) * Math.cos(y / 9);
}

function facetsOfRow(heights: readonly number[][], y: number): string[] {
  const at = (x: number, row: number) => `vertex ${x} ${row} ${heights[row]?.[x]?.toFixed(3)}`;
  return rows.slice(1).flatMap((x) => [
    facet(at(x - 1, y - 1), at(x, y - 1), at(x, y)), //
    facet(at(x - 1, y - 1), at(x, y), at(x - 1, y)),
  ]);
}

function facet(...corners: readonly string[]): string {
  return `facet normal 0 0 0\nouter loop\n${corners.join("\n")}\nendloop\nendfacet\n`;
}
