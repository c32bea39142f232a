import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { postgresStorage } from "../../src/adapters/postgres/index.js";
import { runningAt, withEvent, write } from "../../src/conformance/storage-fixtures.js";
import { type ServerDatabase, serverDatabase } from "./postgres-subject.js";

const rowCount = 1_000;

interface PlanNode {
  readonly "Node Type": string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Join Filter"?: number;
  readonly Plans?: readonly PlanNode[];
}

let database: ServerDatabase;
beforeAll(async () => {
  database = await serverDatabase();
});
afterAll(() => database.drop());

test.each(["auto", "force_generic_plan", "force_custom_plan"])(
  "1,000 writes in one statement touch a few thousand rows, not their square, prepared and run often (%s)",
  async (planCacheMode) => {
    await database.reset();
    const { text, parameters } = await commitOf(rowCount);
    const client = await database.pool.connect();
    try {
      await client.query(`deallocate all; set plan_cache_mode = ${planCacheMode}`);
      await client.query(`prepare committing as ${text}`);
      const execution = `execute committing(${parameters.map(sqlLiteral).join(", ")})`;
      for (let run = 0; run < 6; run++) await client.query(`begin; ${execution}; rollback`);
      expect(await mostRowsTouched(client, execution)).toBeLessThanOrEqual(20 * rowCount);
      await client.query("analyze worker_progress_jobs");
      for (let run = 0; run < 6; run++) await client.query(`begin; ${execution}; rollback`);
      expect(await mostRowsTouched(client, execution)).toBeLessThanOrEqual(20 * rowCount);
    } finally {
      client.release();
    }
  },
);

async function mostRowsTouched(client: pg.PoolClient, execution: string): Promise<number> {
  await client.query("begin");
  const { rows } = await client.query(`explain (analyze, format json) ${execution}`);
  const { rows: counts } = await client.query("select count(*)::int as waiting from worker_progress_outbox");
  await client.query("rollback");
  expect(counts).toEqual([{ waiting: rowCount }]);
  return Math.max(...nodes(rows[0]["QUERY PLAN"][0].Plan).map(rowsTouched));
}

/** The statement as the adapter sends it, caught by Kysely's log, in a transaction that is rolled back. */
async function commitOf(count: number): Promise<{ text: string; parameters: readonly unknown[] }> {
  const sent: { sql: string; parameters: readonly unknown[] }[] = [];
  const db = new Kysely<Record<string, never>>({
    dialect: new PostgresDialect({ pool: database.pool }),
    log: ({ query }) => {
      sent.push(query);
    },
  });
  const storage = postgresStorage(db);
  await storage.schema.migrate();
  await database.pool.query(`insert into worker_progress_jobs (id) select generate_series(1, ${count})`);
  const jobs = await storage.load(Array.from({ length: count }, (_, index) => String(index + 1)));
  const writes = await Promise.all(jobs.map((job) => withEvent(storage, write(job, runningAt(1), { step: "s" }))));
  const rolledBack = db.transaction().execute(async (transaction) => {
    await storage.commit(writes, transaction);
    throw new Error("seen enough");
  });
  await expect(rolledBack).rejects.toThrow("seen enough");
  const commit = sent.find((query) => query.sql.includes("for no key update"));
  return { text: commit?.sql ?? "", parameters: commit?.parameters ?? [] };
}

function sqlLiteral(value: unknown): string {
  if (Array.isArray(value)) return `array[${value.map(sqlLiteral).join(",")}]::text[]`;
  return value === null ? "null" : pg.escapeLiteral(String(value));
}

function nodes(node: PlanNode): readonly PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodes)];
}

function rowsTouched(node: PlanNode): number {
  const removed = node["Rows Removed by Join Filter"] ?? 0;
  return (node["Actual Rows"] + removed) * node["Actual Loops"];
}
