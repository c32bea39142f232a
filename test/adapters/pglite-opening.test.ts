import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { postgresStorage } from "../../src/adapters/postgres/index.js";
import { runningAt, stored, write } from "../../src/conformance/storage-fixtures.js";

/** A PGlite boots in a second on an idle machine, in ten on one that runs every test at once. */
vi.setConfig({ testTimeout: 90_000 });

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "wp-pglite-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const pending = { id: null, type: null, status: "pending", at: 0 } as const;

test("a file:// URL keeps its jobs from one opening to the next", async () => {
  const url = `file://${join(directory, "data")}`;
  const first = postgresStorage(url);
  await first.schema.migrate();
  const id = await first.create(pending);
  await first.commit([write(await stored(first, id), runningAt(40))]);
  await first.close();

  const second = postgresStorage(url);
  expect((await stored(second, id)).progress).toBe(40);
  await second.close();
});

test("two memory:// URLs are two databases", async () => {
  const storages = [postgresStorage("memory://"), postgresStorage("memory://")] as const;
  await Promise.all(storages.map((storage) => storage.schema.migrate()));
  const id = await storages[0].create(pending);
  expect(await storages[1].load([id])).toEqual([]);
  await Promise.all(storages.map((storage) => storage.close()));
  await expect(storages[0].load([id])).rejects.toMatchObject({ code: "REPORTER_CLOSED" });
});

test("a PGlite that was passed in, with parsers of its user's, stays open", async () => {
  const strange = (value: string) => ({ parsed: value });
  const pglite = new PGlite({ parsers: { 16: strange, 20: strange, 23: strange, 114: strange, 3802: strange } });
  const storage = postgresStorage(pglite);
  await storage.schema.migrate();
  const id = await storage.create(pending);
  const set = { metrics: { frames: 1 }, cancelRequested: true };
  await storage.commit([write(await stored(storage, id), runningAt(40), set)]);
  expect(await stored(storage, id)).toMatchObject({ ...runningAt(40), ...set });
  await storage.close();
  expect(pglite.closed).toBe(false);
  await pglite.close();
});
