import { execFile } from "node:child_process";
import { chownSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { eventually } from "./eventually.js";
import { freePort } from "./free-port.js";
import { type PrivateServer, runServer, serverFolder } from "./private-server.js";
import { howToGet } from "./server-plan.js";
import { findProgram } from "./server-programs.js";
import { unprivileged } from "./unprivileged.js";

/** A hot standby that streams from a primary. Its `url` names the database "postgres". */
export interface PrivateStandby extends PrivateServer {
  /** Ends recovery: resolves when it takes writes. */
  promote(): Promise<void>;
}

/** Copies the primary at a URL and streams from it: what the primary has committed arrives here a moment later. */
export async function startStandby(primaryUrl: string): Promise<PrivateStandby> {
  const program = findProgram("initdb");
  if (program === null) throw new Error(howToGet("PostgreSQL"));
  // The programs are beside the real one: links to them need not be beside each other.
  const bin = dirname(realpathSync(program));
  const folder = serverFolder("PostgreSQL");
  const data = join(folder, "data");
  const user = unprivileged();
  if (user) chownSync(folder, user.uid, user.gid);
  const { port: primaryPort } = new URL(primaryUrl);
  const connection = `host=127.0.0.1 port=${primaryPort} user=postgres application_name=standby`;
  const backup = ["-D", data, "-d", connection, "-R", "-X", "stream", "--checkpoint=fast", "--no-sync"];
  await promisify(execFile)(join(bin, "pg_basebackup"), backup, { cwd: folder, ...user });
  const port = await freePort();
  const settings = ["listen_addresses=127.0.0.1", `unix_socket_directories=${folder}`, "fsync=off"];
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const server = await runServer({
    name: "PostgreSQL",
    url,
    port,
    folder,
    command: {
      program: join(bin, "postgres"),
      args: ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])],
      endSignal: "SIGINT",
      ...user,
    },
  });
  await untilStreaming(primaryUrl);
  const promote = async () => void (await run(url, "select pg_promote(true, 20)"));
  return Object.defineProperties({ promote }, Object.getOwnPropertyDescriptors(server)) as PrivateStandby;
}

/** Lets no commit of a primary return before its standby has it. */
export async function replicateSynchronously(primaryUrl: string): Promise<void> {
  await run(primaryUrl, "alter system set synchronous_standby_names = 'standby'");
  await run(primaryUrl, "select pg_reload_conf()");
  await eventually(async () => {
    const rows = await run(primaryUrl, "select from pg_stat_replication where sync_state = 'sync'");
    if (rows.length === 0) throw new Error("The standby is not synchronous yet");
  });
}

async function untilStreaming(primaryUrl: string): Promise<void> {
  await eventually(async () => {
    const rows = await run(primaryUrl, "select from pg_stat_replication where state = 'streaming'");
    if (rows.length === 0) throw new Error("The standby does not stream yet");
  });
}

async function run(url: string, statement: string): Promise<readonly unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}
