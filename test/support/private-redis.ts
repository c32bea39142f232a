import { freePort } from "./free-port.js";
import { type PrivateServer, runServer, serverFolder } from "./private-server.js";
import { findProgram } from "./server-programs.js";

/** Starts a Redis of the caller's own from the installed program; `settings` are further command line arguments. */
export async function startRedis(settings: readonly string[] = []): Promise<PrivateServer> {
  const named = settings.indexOf("--port");
  const port = named === -1 ? await freePort() : Number(settings[named + 1]);
  const folder = serverFolder("Redis");
  const own = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"];
  return runServer({
    name: "Redis",
    url: urlOfRedis(port, settings),
    port,
    folder,
    command: { program: findProgram("redis-server") as string, args: [...own, ...settings], endSignal: "SIGTERM" },
  });
}

/** The URL of a local Redis that runs with these settings. */
export function urlOfRedis(port: number, settings: readonly string[]): string {
  const required = settings.indexOf("--requirepass");
  const credentials = required === -1 ? "" : `:${settings[required + 1]}@`;
  return `redis://${credentials}127.0.0.1:${port}`;
}
