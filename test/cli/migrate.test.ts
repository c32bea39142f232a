import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { freePort } from "../support/free-port.js";
import { type TestDatabase, testDatabase } from "../support/servers.js";
import { runProgram } from "./run-program.js";

const ownTables = ["worker_progress_jobs", "worker_progress_outbox", "worker_progress_relay"];

describe("migrate", () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await testDatabase();
  });

  afterEach(() => database.drop());

  test("makes the tables, and run again changes nothing", async () => {
    for (let time = 0; time < 2; time++) {
      const { code, stdout, stderr } = await runProgram(["migrate", "--database-url", database.url]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain("are in place");
      expect(await tablesIn("public")).toEqual(ownTables);
    }
  });

  test("takes the URL from DATABASE_URL, and the names it is given", async () => {
    const args = ["migrate", "--schema", "reporting", "--outbox-table", "events_out"];
    expect(await runProgram(args, { DATABASE_URL: database.url })).toMatchObject({ code: 0 });
    expect(await tablesIn("reporting")).toEqual(["events_out", "worker_progress_jobs", "worker_progress_relay"]);
  });

  test("takes a URL that names several hosts, and says where it was", async () => {
    const { host } = new URL(database.url);
    const url = database.url.replace(host, `127.0.0.1:${await freePort()},${host}`);
    const { code, stdout } = await runProgram(["migrate", "--database-url", url]);
    expect(code).toBe(0);
    expect(stdout).toContain(`,${host}`);
  });

  test("--no-jobs makes no job table", async () => {
    expect(await runProgram(["migrate", "--no-jobs", "--database-url", database.url])).toMatchObject({ code: 0 });
    expect(await tablesIn("public")).toEqual(["worker_progress_outbox", "worker_progress_relay"]);
    expect((await runProgram(["migrate", "--no-jobs", "--print"])).stdout).not.toContain("worker_progress_jobs");
  });

  test("--print prints SQL that makes the same tables on a fresh database", async () => {
    const { code, stdout } = await runProgram(["migrate", "--print", "--schema", "printed"]);
    expect(code).toBe(0);
    await query(stdout);
    expect(await tablesIn("printed")).toEqual(ownTables);
    expect(await runProgram(["migrate", "--schema", "migrated", "--database-url", database.url])).toMatchObject({
      code: 0,
    });
    expect(await columnsIn("printed")).toEqual(await columnsIn("migrated"));
  });

  test("a name PostgreSQL cannot hold is refused by name", async () => {
    const { code, stderr } = await runProgram(["migrate", "--print", "--schema", ""]);
    expect(code).toBe(1);
    expect(stderr).toContain("Option schema");
  });

  async function query(text: string): Promise<Record<string, unknown>[]> {
    const client = new pg.Client(database.url);
    await client.connect();
    try {
      return (await client.query(text)).rows;
    } finally {
      await client.end();
    }
  }

  async function tablesIn(schema: string): Promise<unknown[]> {
    const rows = await query(`select tablename from pg_tables where schemaname = '${schema}' order by 1`);
    return rows.map((row) => row.tablename);
  }

  function columnsIn(schema: string): Promise<Record<string, unknown>[]> {
    return query(`
      select table_name, column_name, data_type, is_nullable, column_default, identity_generation
      from information_schema.columns where table_schema = '${schema}' order by table_name, ordinal_position`);
  }
});
