import { freePort } from "./free-port.js";
import { type PrivateServer, runServer, serverFolder } from "./private-server.js";
import { findProgram } from "./server-programs.js";

/** Starts a Redis of the caller's own from the installed program; `settings` are further command line arguments. */
export async function startRedis(settings: readonly string[] = []): Promise<PrivateServer> {
  const port = await freePort();
  const folder = serverFolder("Redis");
  const own = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"];
  return runServer({
    name: "Redis",
    url: `redis://127.0.0.1:${port}`,
    port,
    folder,
    command: { program: findProgram("redis-server") as string, args: [...own, ...settings], endSignal: "SIGTERM" },
  });
}
