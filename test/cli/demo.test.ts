import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect } from "amqplib";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { viaProxy } from "../guarantees/via-proxy.js";
import { eventually } from "../support/eventually.js";
import {
  privateRabbitmq,
  rabbitmqUrl,
  redisUrl,
  type TestDatabase,
  testDatabase,
  testNames,
} from "../support/servers.js";
import { builtFolder, runProgram, startProgram } from "./run-program.js";

// Generous: PGlite takes seconds of CPU to boot, and other tests want it too.
const timeout = 120_000;

describe("the embedded demo", { timeout }, () => {
  test("runs a job from its creation to its last event and counts what it took", async () => {
    const { code, stdout, stderr } = await runProgram(["demo", "--seconds", "1"], { FORCE_COLOR: "1" });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout, "escape sequences are for terminals").not.toContain("\x1b");
    expect(stdout).toContain("PGlite, embedded");
    expect(stdout).toMatch(/running +0 % +queued → running +…[0-9a-f]{8}$/m);
    expect(stdout).toMatch(/completed +100 % +running → completed +…[0-9a-f]{8}$/m);
    expect(finalView(stdout)).toMatchObject({ status: "completed", progress: { percent: 100, message: "Success!" } });
    const counts = countsIn(stdout);
    expect(counts["calls of progress()"]).toBe(200);
    expect(counts["of progress"]).toBeLessThanOrEqual(2);
    expect(counts["events stored"]).toBeGreaterThanOrEqual(2);
    expect(counts["events received"]).toBe(counts["events stored"]);
    expect(counts["distinct event ids"]).toBe(counts["events stored"]);
  });

  test("without PGlite installed it says what to install", async () => {
    const folder = await mkdtemp(join(tmpdir(), "worker-progress-cli-"));
    try {
      const root = fileURLToPath(new URL("../../", import.meta.url));
      await cp(builtFolder(), join(folder, "dist"), { recursive: true });
      await cp(join(root, "package.json"), join(folder, "package.json"));
      await mkdir(join(folder, "node_modules"));
      for (const name of ["kysely", "uuid", "zod"]) {
        await symlink(join(root, "node_modules", name), join(folder, "node_modules", name));
      }
      const program = join(folder, "dist/cli/main.js");
      const { code, stderr } = await startProgram(["demo"], {}, program).ended;
      expect(code).toBe(1);
      expect(stderr).toMatch(/^worker-progress: MISSING_DEPENDENCY: .*npm install @electric-sql\/pglite\n$/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("the demo on servers", { timeout }, () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await testDatabase();
  });

  afterEach(() => database.drop());

  test("migrates, takes its task off RabbitMQ, receives each event once, and leaves no queue behind", async () => {
    const names = testNames();
    const exchanges = ["--events-exchange", names.events, "--outbound-exchange", names.outbound];
    const urls = { DATABASE_URL: database.url, REDIS_URL: redisUrl(), RABBITMQ_URL: rabbitmqUrl() };
    const { code, stdout, stderr } = await runProgram(["demo", "--seconds", "1", ...exchanges], urls);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const name of ["PostgreSQL at", "Redis at", "RabbitMQ at", names.outbound]) expect(stdout).toContain(name);
    const counts = countsIn(stdout);
    expect(counts["distinct event ids"]).toBe(counts["events stored"]);
    expect(await stored()).toEqual([{ status: "completed", progress: 100, attempts: 1, waiting: 0 }]);
    const queues = stdout.match(/worker-progress\.demo\.\w+\.(erp|tasks)/g) ?? [];
    expect(queues).toHaveLength(2);
    for (const queue of queues) expect(await queueExists(queue)).toBe(false);
  });

  test("uses a Redis that takes a moment to answer, and says nothing of it", async () => {
    const network = await viaProxy(redisUrl());
    network.delay(110);
    const args = ["demo", "--seconds", "0.5", "--database-url", database.url, "--redis-url", network.url];
    const { code, stdout, stderr } = await runProgram(args);
    await network.close();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).not.toContain("Redis is out of reach");
  });

  test("runs several jobs at the same time", async () => {
    const args = ["demo", "--seconds", "0.5", "--jobs", "5", "--database-url", database.url];
    const { code, stdout } = await runProgram(args);
    expect(code).toBe(0);
    expect(stdout.match(/running → completed/g)).toHaveLength(5);
    expect(stdout).toContain("5 created, 5 started, 5 ended");
  });

  test("interrupted, it cancels the job, shows how it ended, and exits 130", async () => {
    const demo = startProgram(["demo", "--seconds", "60", "--database-url", database.url]);
    await eventually(() => expect(demo.stdout()).toContain("queued → running"), { timeoutMs: timeout });
    demo.kill("SIGINT");
    const { code, stdout } = await demo.ended;
    expect(code).toBe(130);
    expect(stdout).toContain("running → cancelled");
    expect(finalView(stdout)).toMatchObject({ status: "cancelled" });
  });

  test("a RabbitMQ that dies in the middle ends it with a sentence", async () => {
    const broker = await privateRabbitmq();
    try {
      const args = ["demo", "--seconds", "60", "--database-url", database.url, "--amqp-url", broker.url];
      const demo = startProgram(args);
      await eventually(() => expect(demo.stdout()).toContain("queued → running"), { timeoutMs: timeout });
      await broker.kill();
      const { code, stderr } = await demo.ended;
      expect(code).toBe(1);
      expect(stderr).toMatch(/^worker-progress: PUBLISHER_UNAVAILABLE: The demo lost RabbitMQ: .*\n$/);
    } finally {
      await broker.stop();
    }
  });

  async function stored(): Promise<unknown[]> {
    const client = new pg.Client(database.url);
    await client.connect();
    const { rows } = await client.query(`
      select status, progress, attempts, (select count(*)::int from worker_progress_outbox) as waiting
      from worker_progress_jobs`);
    await client.end();
    return rows;
  }
});

function finalView(stdout: string): unknown {
  const [, json = ""] = /GET \/api\/v1\/jobs\/\d+\n\n(.*?^ {2}\}$)/ms.exec(stdout) ?? [];
  return JSON.parse(json);
}

/** The rows of the summary by their names. */
function countsIn(stdout: string): Record<string, number> {
  const [, summary = ""] = stdout.split("Summary\n");
  const rows = [...summary.matchAll(/^ +(\S.*?) {2,}([\d,]+)(?: |$)/gm)];
  return Object.fromEntries(rows.map(([, name, count]) => [name, Number(count?.replaceAll(",", ""))]));
}

async function queueExists(queue: string): Promise<boolean> {
  const connection = await connect(rabbitmqUrl());
  try {
    const channel = await connection.createChannel();
    channel.on("error", () => {});
    return await channel.checkQueue(queue).then(
      () => true,
      () => false,
    );
  } finally {
    await connection.close();
  }
}
