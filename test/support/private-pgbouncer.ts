import { chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { freePort } from "./free-port.js";
import { type PrivateServer, runServer, serverFolder } from "./private-server.js";
import { findProgram } from "./server-programs.js";
import { howToGetTool, pgbouncer } from "./tool-plan.js";
import { unprivileged } from "./unprivileged.js";

/** A PgBouncer in transaction mode before one PostgreSQL. Its `url` names the same database as the server's. */
export interface PrivatePgbouncer extends PrivateServer {
  /** Sends all to another PostgreSQL from now on; clients stay connected. */
  repoint(databaseUrl: string): Promise<void>;
  /** Runs a command of the admin console, as "show pools". */
  admin(command: string): Promise<readonly Record<string, unknown>[]>;
}

/** How many connections to the server each database gets. @default 2 */
export interface PgbouncerOptions {
  readonly serverConnections?: number;
}

/** Starts a PgBouncer in transaction mode before the server of a URL, whatever database of it clients ask for. */
export async function startPgbouncer(databaseUrl: string, options: PgbouncerOptions = {}): Promise<PrivatePgbouncer> {
  const program = findProgram("pgbouncer");
  if (program === null) throw new Error(howToGetTool(pgbouncer));
  const port = await freePort();
  const folder = serverFolder("PostgreSQL");
  // PgBouncer refuses to run as root, as PostgreSQL does.
  const user = unprivileged();
  if (user) chownSync(folder, user.uid, user.gid);
  const file = join(folder, "pgbouncer.ini");
  const { username, password } = new URL(databaseUrl);
  const configure = (url: string) => writeFileSync(file, configuration(url, port, options.serverConnections ?? 2));
  writeFileSync(join(folder, "users"), `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"\n`);
  configure(databaseUrl);
  const url = withPort(databaseUrl, port);
  const server = await runServer({
    name: "PostgreSQL",
    url,
    port,
    folder,
    command: { program, args: [file], endSignal: "SIGINT", ...user },
  });
  const admin = (command: string) => runAdmin(url, command);
  const repoint = async (to: string) => {
    configure(to);
    await admin("reload");
  };
  return Object.defineProperties({ admin, repoint }, Object.getOwnPropertyDescriptors(server)) as PrivatePgbouncer;
}

function configuration(databaseUrl: string, port: number, serverConnections: number): string {
  const { hostname, port: serverPort, username } = new URL(databaseUrl);
  return `[databases]
* = host=${hostname} port=${serverPort || 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = users
admin_users = ${decodeURIComponent(username)}
pool_mode = transaction
default_pool_size = ${serverConnections}
server_login_retry = 1
`;
}

async function runAdmin(url: string, command: string): Promise<readonly Record<string, unknown>[]> {
  const console = new URL(url);
  console.pathname = "/pgbouncer";
  const client = new pg.Client(console.href);
  await client.connect();
  try {
    return (await client.query(command)).rows;
  } finally {
    await client.end();
  }
}

function withPort(databaseUrl: string, port: number): string {
  const url = new URL(databaseUrl);
  url.hostname = "127.0.0.1";
  url.port = String(port);
  return url.href;
}
