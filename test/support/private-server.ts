import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { untilRefused } from "./free-port.js";
import { problemOf } from "./server-answers.js";
import type { ServerName } from "./server-plan.js";
import { type ServerCommand, type ServerProcess, startProcess } from "./server-process.js";

/** A server of the test's own, for what must not be done to a shared one. Dies with this process at the latest. */
export interface PrivateServer {
  readonly url: string;
  readonly port: number;
  /** The server's process; another one after a restart. */
  readonly pid: number;
  /** SIGKILL. Data stays. */
  kill(): Promise<void>;
  /** Ends it in good order. Data stays. */
  shutDown(): Promise<void>;
  /** Starts it again on the same port and data, ending it before if it runs, and waits until it answers. */
  restart(): Promise<void>;
  /** Ends it for good and removes its data. Idempotent. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Everything that makes one kind of server run. */
export interface ServerRecipe {
  readonly name: ServerName;
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  readonly command: Omit<ServerCommand, "folder">;
  /** Programs it needs beside it, which outlive a kill. */
  readonly companions?: readonly Omit<ServerCommand, "folder">[];
}

/** A new folder for a server's data. */
export function serverFolder(name: ServerName): string {
  return mkdtempSync(join(tmpdir(), `worker-progress-${name.toLowerCase()}-`));
}

/** Starts a server by its recipe and waits until it answers. */
export async function runServer(recipe: ServerRecipe): Promise<PrivateServer> {
  const { folder } = recipe;
  const companions: ServerProcess[] = [];
  for (const each of recipe.companions ?? []) companions.push(await startProcess({ ...each, folder }));
  const command = { ...recipe.command, folder };
  let main = await startProcess(command);
  const server: PrivateServer = {
    url: recipe.url,
    port: recipe.port,
    get pid() {
      return main.pid;
    },
    async kill() {
      if (!main.exited) await main.kill();
      await untilRefused(recipe.port);
    },
    async shutDown() {
      if (!main.exited) await main.end();
      await untilRefused(recipe.port);
    },
    async restart() {
      await server.shutDown();
      main = await startProcess(command);
      await untilAnswering(recipe, main);
    },
    async stop() {
      for (const each of [main, ...companions]) if (!each.exited) await each.kill();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
  await untilAnswering(recipe, main).catch(async (error) => {
    await server.stop();
    throw error;
  });
  return server;
}

async function untilAnswering(recipe: ServerRecipe, main: ServerProcess): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const problem = await problemOf(recipe.name, recipe.url);
    if (problem === null) return;
    if (main.exited || performance.now() > deadline) {
      const log = readFileSync(join(recipe.folder, "server.log"), "utf8").slice(-2_000);
      throw new Error(`A private ${recipe.name} did not start: ${problem}\n${log}`);
    }
    await sleep(50);
  }
}
