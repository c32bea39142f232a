import { readFile } from "node:fs/promises";
import { expect, test, vi } from "vitest";
import { startWorker } from "../support/child-process.js";
import { exampleFile, noServers, openExampleStage } from "./example-stage.js";
import { snippetsIn } from "./snippets.js";

// Each test starts several processes, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 });

test("the quickstart runs embedded, with no server at all", async () => {
  const worker = await startWorker(exampleFile("quickstart.ts"), { env: noServers });
  const { code, stdout, stderr } = await worker.exit;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("status: 'completed'");
  expect(stdout).toMatch(/percent: 100,\s+step: 'processing',\s+message: 'Success!'/);
});

test("the quickstart runs on PostgreSQL alone, and the last frame is stored", async () => {
  await using stage = await openExampleStage();
  const exit = await stage.run("quickstart.ts", [], { REDIS_URL: undefined, RABBITMQ_URL: undefined });
  expect(exit).toMatchObject({ code: 0, stdout: expect.stringContaining("status: 'completed'") });
  const { rows } = await stage.db.query("select status, progress, metrics from worker_progress_jobs");
  expect(rows).toEqual([{ status: "completed", progress: 100, metrics: { frame: 100 } }]);
});

test("the first code of the README is the quickstart", async () => {
  const quickstart = await readFile(exampleFile("quickstart.ts"), "utf8");
  expect((await snippetsIn("README.md"))[0]).toBe(quickstart);
});
