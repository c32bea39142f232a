import { execFileSync } from "node:child_process";
import { chownSync } from "node:fs";
import { dirname, join } from "node:path";
import { freePort } from "./free-port.js";
import { type PrivateServer, runServer, serverFolder } from "./private-server.js";
import { findProgram } from "./server-programs.js";
import { unprivileged } from "./unprivileged.js";

/** Starts a PostgreSQL of the caller's own from the installed programs; `configuration` is more of `postgresql.conf`, a setting each. */
export async function startPostgres(configuration: readonly string[] = []): Promise<PrivateServer> {
  const bin = dirname(findProgram("initdb") as string);
  const folder = serverFolder("PostgreSQL");
  const data = join(folder, "data");
  const user = unprivileged();
  if (user) chownSync(folder, user.uid, user.gid);
  execFileSync(join(bin, "initdb"), ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
    ...user,
  });
  const port = await freePort();
  const settings = ["listen_addresses=127.0.0.1", `unix_socket_directories=${folder}`, "fsync=off", ...configuration];
  return runServer({
    name: "PostgreSQL",
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    folder,
    command: {
      program: join(bin, "postgres"),
      args: ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])],
      endSignal: "SIGINT",
      ...user,
    },
  });
}
