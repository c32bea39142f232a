import { execFile } from "node:child_process";
import { userInfo } from "node:os";
import { promisify } from "node:util";
import { problemOf } from "./server-answers.js";
import { type ServerName, servers } from "./server-plan.js";

/** A server that answers. */
export interface FoundServer {
  readonly url: string;
  /** Where it was found, for people. */
  readonly how: string;
}

/**
 * A server named by its environment variable or answering on its standard local port; null when there is none.
 * Rejects when the variable names one that does not answer, rather than test another server than the one named.
 */
export async function findRunning(name: ServerName): Promise<FoundServer | null> {
  const { variable, port } = servers[name];
  const named = process.env[variable];
  if (named) {
    const problem = await problemOf(name, named);
    if (problem !== null) throw new Error(`${name} at ${variable} cannot be used: ${problem}; correct or unset it`);
    return { url: named, how: variable };
  }
  for (const url of standardUrls[name]()) {
    if ((await problemOf(name, url)) === null) return { url, how: `port ${port}` };
  }
  return null;
}

const standardUrls: Record<ServerName, () => readonly string[]> = {
  PostgreSQL: () => ["postgres", userInfo().username].map((user) => `postgres://${user}@127.0.0.1:5432/postgres`),
  Redis: () => ["redis://127.0.0.1:6379"],
  RabbitMQ: () => ["amqp://guest:guest@127.0.0.1:5672"],
};

/** Whether a Docker engine answers. */
export async function dockerWorks(): Promise<boolean> {
  try {
    await promisify(execFile)("docker", ["info", "--format", "{{.ServerVersion}}"], { timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}
