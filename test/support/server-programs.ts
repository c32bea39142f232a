import { accessSync, constants, globSync, realpathSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import type { ServerName } from "./server-plan.js";

// Debian keeps PostgreSQL's server programs off the PATH.
const elsewhere = [
  "/usr/lib/postgresql/*/bin",
  "/usr/pgsql-*/bin",
  "/opt/homebrew/opt/postgresql*/bin",
  "/usr/local/sbin",
  "/usr/sbin",
  "/opt/homebrew/sbin",
];

const programs: Record<ServerName, readonly string[]> = {
  PostgreSQL: ["initdb", "postgres"],
  Redis: ["redis-server"],
  RabbitMQ: ["rabbitmq-server", "rabbitmqctl", "epmd"],
};

/** Whether the server's programs are installed on this machine. */
export function hasPrograms(name: ServerName): boolean {
  return programs[name].every((program) => findProgram(program) !== null);
}

/** The path of an installed program, or null. */
export function findProgram(program: string): string | null {
  const onPath = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const folders = [...onPath, ...elsewhere.flatMap((pattern) => globSync(pattern).sort().reverse())];
  return folders.map((folder) => join(folder, program)).find(isExecutable) ?? null;
}

/**
 * The RabbitMQ script itself. Debian's wrapper in front of it insists on the `rabbitmq` user and the system's folders,
 * which a private server must not touch.
 */
export function rabbitmqScript(script: "rabbitmq-server" | "rabbitmqctl"): string | null {
  const found = findProgram(script);
  if (found === null) return null;
  const real = realpathSync(found);
  if (basename(real) !== "rabbitmq-script-wrapper" && !real.startsWith("/usr/sbin/")) return real;
  const behind = "/usr/lib/rabbitmq/bin";
  const folders = [dirname(real), behind].map((folder) => join(folder, script)).filter((path) => path !== found);
  return folders.filter(isExecutable).map((path) => realpathSync(path))[0] ?? real;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
