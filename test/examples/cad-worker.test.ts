import { readFile } from "node:fs/promises";
import { expect, inject, test, vi } from "vitest";
import type { JobView } from "worker-progress";
import { startWorker } from "../support/child-process.js";
import { eventually } from "../support/eventually.js";
import { exampleFile, noServers, openExampleStage, patience } from "./example-stage.js";

// Each test starts several processes, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 });

test("the CAD worker makes a model embedded, with no server at all", async () => {
  const env = { ...noServers, LAYER_MS: "1", TMPDIR: inject("run").folder };
  const worker = await startWorker(exampleFile("cad-worker.ts"), { env });
  const { code, stdout, stderr } = await worker.exit;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const view: JobView = JSON.parse(stdout);
  expect(view).toMatchObject({ type: "model", status: "completed", attempts: 1 });
  expect(view.progress).toMatchObject({ percent: 100, step: "export", message: "Writing 6962 facets" });
});

test("the CAD worker does the job it is named on real servers, and its output is the file it wrote", async () => {
  await using stage = await openExampleStage();
  const { code, stdout, stderr } = await stage.run("cad-worker.ts", [], { LAYER_MS: "5" });
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const [row] = (await stage.db.query("select *, id::text from worker_progress_jobs")).rows;
  expect(row).toMatchObject({ type: "model", status: "completed", progress: 100, metrics: { layer: 40 } });
  expect(row.output).toEqual({ file: expect.any(String), facets: 6962, layers: 40 });
  expect((await readFile(row.output.file, "utf8")).match(/^facet normal/gm)).toHaveLength(6962);
  expect(JSON.parse(stdout).status).toBe("completed");
  await eventually(() => expect(stage.told(row.id).at(-1)).toBe("completed 100"), patience);
  // The export begins at 90 % in any case, which is told unless a window has ended, and been told, just before.
  expect(stage.told(row.id)).toContainEqual(expect.stringMatching(/^running (7[5-9]|8\d|90)$/));

  const again = await stage.run("cad-worker.ts", [row.id], { LAYER_MS: "1" });
  expect(again.code).toBe(0);
  expect(JSON.parse(again.stdout)).toMatchObject({ id: Number(row.id), status: "completed", attempts: 2 });
});

test("a CAD worker whose job is cancelled from outside stops, and keeps the progress it made", async () => {
  await using stage = await openExampleStage();
  const worker = await stage.start("cad-worker.ts", [], { LAYER_MS: "500" });
  const jobId = await eventually(async () => {
    const { rows } = await stage.db.query("select id::text, progress from worker_progress_jobs where step = 'slice'");
    expect(rows).toHaveLength(1);
    return rows[0].id as string;
  }, patience);
  await stage.db.query("update worker_progress_jobs set cancel_requested = true");
  const { code, stderr } = await worker.exit;
  expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining("did not complete") });
  const [row] = (await stage.db.query("select status, progress, output from worker_progress_jobs")).rows;
  expect(row).toMatchObject({ status: "cancelled", output: null });
  expect(row.progress).toBeGreaterThanOrEqual(40);
  expect(row.progress).toBeLessThan(90);
  await eventually(() => expect(stage.told(jobId).at(-1)).toBe(`cancelled ${row.progress}`), patience);
});
