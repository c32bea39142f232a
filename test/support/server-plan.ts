/** The servers that tests talk to. */
export const serverNames = ["PostgreSQL", "Redis", "RabbitMQ"] as const;

/** One of {@link serverNames}. */
export type ServerName = (typeof serverNames)[number];

/** What is special about each server. */
export const servers = {
  PostgreSQL: { variable: "DATABASE_URL", port: 5432, package: "postgresql", example: "postgres://user@host/db" },
  Redis: { variable: "REDIS_URL", port: 6379, package: "redis-server", example: "redis://host:6379" },
  RabbitMQ: { variable: "RABBITMQ_URL", port: 5672, package: "rabbitmq-server", example: "amqp://guest:guest@host" },
} as const satisfies Record<ServerName, { variable: string; port: number; package: string; example: string }>;

/** What a look around the machine showed. */
export interface Machine {
  /** Servers that answer. */
  readonly running: ReadonlySet<ServerName>;
  /** Servers whose programs are installed, so that tests can start private ones, to kill. */
  readonly installed: ReadonlySet<ServerName>;
  readonly docker: boolean;
  /** Whether apt-get is here (Debian, Ubuntu and kin). */
  readonly apt: boolean;
  /** How to become root: already, by sudo that asks no password, or not at all. */
  readonly root: "already" | "sudo" | "no";
}

/** What to do so that every server can be had. */
export type Plan =
  | { readonly kind: "ready" }
  | { readonly kind: "docker"; readonly missing: readonly ServerName[] }
  | { readonly kind: "install"; readonly missing: readonly ServerName[]; readonly commands: readonly Command[] }
  /** What runs can be used, but tests that kill a server of their own will fail. */
  | { readonly kind: "sharedOnly"; readonly missing: readonly ServerName[] }
  | { readonly kind: "impossible"; readonly missing: readonly ServerName[] };

/** A program and its arguments. */
export type Command = readonly [string, ...string[]];

/** Decides what to do; does nothing itself. */
export function planServers(machine: Machine): Plan {
  const missing = serverNames.filter((name) => !machine.installed.has(name));
  if (missing.length === 0) return { kind: "ready" };
  if (machine.docker) return { kind: "docker", missing };
  if (!machine.apt || machine.root === "no") {
    const nowhere = missing.filter((name) => !machine.running.has(name));
    return nowhere.length > 0 ? { kind: "impossible", missing: nowhere } : { kind: "sharedOnly", missing };
  }
  const packages = missing.map((name) => servers[name].package);
  return { kind: "install", missing, commands: installCommands(packages, machine.root === "sudo") };
}

/** The commands that install Debian packages. */
export function installCommands(packages: readonly string[], sudo: boolean): readonly Command[] {
  const env = ["env", "DEBIAN_FRONTEND=noninteractive"];
  const apt = [["update"], ["install", "-y", "--no-install-recommends", ...packages]];
  return apt.map((args): Command => [...(sudo ? (["sudo", "-n"] as const) : []), ...env, "apt-get", ...args] as never);
}

/** The sentence that says how to get a server. */
export function howToGet(name: ServerName): string {
  const { variable, port, package: debian, example } = servers[name];
  return (
    `No ${name} can be had: set ${variable} (such as ${example}), start one on port ${port}, start Docker, ` +
    `or install its programs (Debian: apt-get install ${debian})`
  );
}
