import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { sweepRun } from "./run-sweep.js";
import { howToGet, type ServerName, serverNames } from "./server-plan.js";
import { hasPrograms } from "./server-programs.js";
import { dockerWorks, type FoundServer, findRunning } from "./server-search.js";

/** What every test process knows of the run. */
export interface TestRun {
  readonly urls: Readonly<Record<ServerName, string>>;
  /** Unique; every database, key and exchange of the run has it in its name. */
  readonly id: string;
  /** A folder of the run's own. */
  readonly folder: string;
}

declare module "vitest" {
  interface ProvidedContext {
    run: TestRun;
  }
}

interface StartedServer extends FoundServer {
  readonly stop?: () => Promise<unknown>;
}

/** Finds or starts the servers once per run, and cleans up after it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started = await Promise.allSettled(serverNames.map(findOrStart));
  const stopAll = () =>
    Promise.all(started.map((each) => (each.status === "fulfilled" ? each.value.stop?.() : undefined)));
  const failed = started.filter((each) => each.status === "rejected");
  if (failed.length > 0) {
    await stopAll();
    throw new Error(failed.map((each) => (each.reason as Error).message).join("\n"));
  }
  const found = started.map((each) => (each as PromiseFulfilledResult<StartedServer>).value);
  found.forEach((server, index) => {
    console.log(`${serverNames[index]}: ${server.how}`);
  });
  const urls = Object.fromEntries(serverNames.map((name, index) => [name, found[index]?.url])) as TestRun["urls"];
  const folder = mkdtempSync(join(tmpdir(), "worker-progress-run-"));
  const run: TestRun = { urls, id: randomBytes(5).toString("hex"), folder };
  project.provide("run", run);
  return async () => {
    try {
      await sweepRun(run);
    } finally {
      rmSync(folder, { recursive: true, force: true });
      await stopAll();
    }
  };
}

async function findOrStart(name: ServerName): Promise<StartedServer> {
  const running = await findRunning(name);
  if (running !== null) return running;
  if (await dockerWorks()) return startInDocker[name]();
  if (hasPrograms(name)) {
    const server = await startPrograms[name]();
    return { url: server.url, how: `started privately on port ${server.port}`, stop: server.stop };
  }
  throw new Error(howToGet(name));
}

const startPrograms = {
  PostgreSQL: async () => (await import("./private-postgres.js")).startPostgres(),
  Redis: async () => (await import("./private-redis.js")).startRedis(),
  RabbitMQ: async () => (await import("./private-rabbitmq.js")).startRabbitmq(),
};

const startInDocker: Record<ServerName, () => Promise<StartedServer>> = {
  async PostgreSQL() {
    const { PostgreSqlContainer } = await import("@testcontainers/postgresql");
    const { images } = await import("./docker-server.js");
    const container = await new PostgreSqlContainer(images.PostgreSQL).start();
    return { url: container.getConnectionUri(), how: "started in Docker", stop: () => container.stop() };
  },
  async Redis() {
    const { RedisContainer } = await import("@testcontainers/redis");
    const { images } = await import("./docker-server.js");
    const container = await new RedisContainer(images.Redis).start();
    return { url: container.getConnectionUrl(), how: "started in Docker", stop: () => container.stop() };
  },
  async RabbitMQ() {
    const { RabbitMQContainer } = await import("@testcontainers/rabbitmq");
    const { images } = await import("./docker-server.js");
    const container = await new RabbitMQContainer(images.RabbitMQ).start();
    const { host } = new URL(container.getAmqpUrl());
    return { url: `amqp://guest:guest@${host}`, how: "started in Docker", stop: () => container.stop() };
  },
};
