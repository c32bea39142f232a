import { expect } from "vitest";
import { startWorker, type WorkerExit } from "../support/child-process.js";
import { eventually } from "../support/eventually.js";
import { freePort, untilRefused } from "../support/free-port.js";

/** Where the dashboard and the workers meet. */
export interface Backstage {
  readonly databaseUrl: string;
  readonly redisUrl: string;
}

/** The dashboard's server in a process of its own. */
export interface DashboardProcess {
  readonly url: string;
  readonly port: number;
  /** As a crash: no connection is ended politely. */
  kill(): Promise<void>;
  /** As a person or a supervisor ends it. */
  end(): Promise<WorkerExit>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The server that a user starts. */
export const dashboardServer = new URL("../../examples/dashboard/server.ts", import.meta.url);

/** What else there is to say of a dashboard. */
export interface DashboardOptions {
  /** @default a free one */
  readonly port?: number;
  readonly args?: readonly string[];
}

/** Starts the dashboard and waits until it answers. */
export async function startDashboard(
  backstage: Backstage,
  { port, args = [] }: DashboardOptions = {},
): Promise<DashboardProcess> {
  const taken = port ?? (await freePort());
  const url = `http://127.0.0.1:${taken}/`;
  const { databaseUrl, redisUrl } = backstage;
  const env = { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, RABBITMQ_URL: "", PORT: String(taken) };
  const child = await startWorker(dashboardServer, { args, env });
  let ended = "";
  void child.exit.then(({ stderr }) => {
    ended = stderr || "without a word";
  });
  await eventually(
    async () => {
      if (ended === "") expect((await fetch(url)).status).toBe(200);
    },
    { timeoutMs: 40_000, everyMs: 50 },
  );
  if (ended !== "") throw new Error(`The dashboard ended: ${ended}`);
  const stop = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return child.exit;
  };
  const kill = async () => {
    await stop("SIGKILL");
    await untilRefused(taken);
  };
  return { url, port: taken, kill, end: () => stop("SIGTERM"), [Symbol.asyncDispose]: kill };
}
