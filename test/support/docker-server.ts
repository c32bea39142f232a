import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "./free-port.js";
import type { PrivateRabbitmq } from "./private-rabbitmq.js";
import { urlOfRedis } from "./private-redis.js";
import { onDeath } from "./process-guard.js";
import { problemOf } from "./server-answers.js";
import type { ServerName } from "./server-plan.js";

/** The images that stand in for server programs. */
export const images = {
  PostgreSQL: "postgres:17-alpine",
  Redis: "redis:7-alpine",
  RabbitMQ: "rabbitmq:4-alpine",
} as const satisfies Record<ServerName, string>;

const recipes: Record<
  ServerName,
  { port: number; env: readonly string[]; url(port: number, settings: readonly string[]): string }
> = {
  PostgreSQL: {
    port: 5432,
    env: ["POSTGRES_HOST_AUTH_METHOD=trust"],
    url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
  },
  Redis: { port: 6379, env: [], url: urlOfRedis },
  RabbitMQ: { port: 5672, env: [], url: (port) => `amqp://guest:guest@127.0.0.1:${port}` },
};

/** A container and the server in it that is asked whether it answers. */
export interface ContainerRecipe {
  readonly name: ServerName;
  readonly url: string;
  readonly port: number;
  /** Arguments of `docker run` before the image. */
  readonly options: readonly string[];
  /** Arguments of `docker run` behind the image. */
  readonly command: readonly string[];
}

/** Starts a private server in a container, for machines that have Docker but not the server's programs. */
export async function startContainer(name: ServerName, settings: readonly string[]): Promise<PrivateRabbitmq> {
  const recipe = recipes[name];
  const port = await freePort();
  const published = ["-p", `127.0.0.1:${port}:${recipe.port}`, ...recipe.env.flatMap((each) => ["-e", each])];
  return runContainer({ name, url: recipe.url(port, settings), port, options: published, command: settings });
}

/** Runs a container and waits until the server in it answers. */
export async function runContainer(recipe: ContainerRecipe): Promise<PrivateRabbitmq> {
  const { name, url, port, options, command } = recipe;
  const container = (await docker("run", "-d", ...options, images[name], ...command)).trim();
  const guard = onDeath('docker rm -f -v "$1"', container);
  let pid = 0;
  const untilAnswering = async () => {
    const deadline = performance.now() + 120_000;
    for (let problem = await problemOf(name, url); problem !== null; problem = await problemOf(name, url)) {
      if (performance.now() > deadline) throw new Error(`A private ${name} in Docker did not start: ${problem}`);
      await sleep(100);
    }
    pid = Number(await docker("inspect", "-f", "{{.State.Pid}}", container));
  };
  const server: PrivateRabbitmq = {
    url,
    port,
    get pid() {
      return pid;
    },
    kill: async () => void (await docker("kill", "--signal", "KILL", container)),
    shutDown: async () => void (await docker("stop", container)),
    async restart() {
      await docker("restart", container);
      await untilAnswering();
    },
    async stop() {
      await docker("rm", "-f", "-v", container);
      guard.dismiss();
    },
    ctl: (...args) => docker("exec", container, "rabbitmqctl", ...args),
    [Symbol.asyncDispose]: () => server.stop(),
  };
  await untilAnswering().catch(async (error) => {
    await server.stop();
    throw error;
  });
  return server;
}

async function docker(...args: readonly string[]): Promise<string> {
  return (await promisify(execFile)("docker", args)).stdout;
}
