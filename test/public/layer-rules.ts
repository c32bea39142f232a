import { dirname, join } from "node:path/posix";
import type { Import, Source } from "./read-source.js";

interface Room {
  /** Other rooms it may import from. */
  readonly rooms: readonly string[] | "every";
  /** Packages it may import in any way; "node:" is every built-in. */
  readonly packages?: readonly string[];
  /** Optional peers: loaded by `import()` only, so that nobody installs what they do not use. */
  readonly clients?: readonly string[];
}

const inwards = ["domain", "ports"];
const everyClient = ["pg", "@electric-sql/pglite", "ioredis", "amqplib"];

const rooms: Readonly<Record<string, Room>> = {
  domain: { rooms: [] },
  ports: { rooms: ["domain"] },
  engine: { rooms: inwards, packages: ["uuid", "node:events"] },
  reporter: { rooms: [...inwards, "engine"], packages: ["node:timers/promises"] },
  conformance: { rooms: inwards, packages: ["node:assert/strict", "node:crypto"] },
  http: { rooms: [...inwards, "reporter"], packages: ["node:", "zod"], clients: ["rate-limiter-flexible"] },
  consumer: { rooms: inwards, packages: ["node:", "kysely", "zod"], clients: ["amqplib"] },
  "adapters/memory": { rooms: inwards, packages: ["node:"] },
  "adapters/postgres": { rooms: inwards, packages: ["node:", "kysely"], clients: ["pg", "@electric-sql/pglite"] },
  "adapters/redis": { rooms: inwards, packages: ["node:"], clients: ["ioredis"] },
  "adapters/rabbitmq": { rooms: inwards, packages: ["node:"], clients: ["amqplib"] },
  process: { rooms: inwards, packages: ["node:"] },
  composition: { rooms: "every", packages: ["node:", "kysely", "uuid", "zod"] },
  cli: { rooms: "every", packages: ["node:", "kysely"], clients: everyClient },
};

const compositionRoot = ["index.ts", "create-progress-reporter.ts", "options.ts"];

/** What a source does that its room may not. `path` is relative to src. */
export function breachesOf(path: string, source: Source): readonly string[] {
  const name = roomOf(path);
  const room = rooms[name];
  if (room === undefined) return [`${path}: no rule for folder "${name}"`];
  return [
    ...source.suppressions.map((suppression) => `${path}: suppresses a check with ${suppression}`),
    ...(name === "domain" ? source.impurities.map((impurity) => `${path}: uses ${impurity}`) : []),
    ...source.imports
      .filter((each) => !mayImport(path, name, room, each))
      .map((each) => `${path}: ${each.kind} import of ${each.from}`),
  ];
}

/** The path, relative to src, of the source that a relative import means; null for a package. */
export function targetOf(path: string, from: string): string | null {
  return from.startsWith(".") ? join(dirname(path), from).replace(/\.js$/, ".ts") : null;
}

function mayImport(path: string, name: string, room: Room, { from, kind }: Import): boolean {
  const target = targetOf(path, from);
  if (target !== null) return from.endsWith(".js") && mayReach(name, room, roomOf(target));
  if (room.clients?.includes(from)) return kind !== "value";
  return (room.packages ?? []).some((allowed) => (allowed === "node:" ? from.startsWith(allowed) : from === allowed));
}

function mayReach(name: string, room: Room, target: string): boolean {
  return target === name || room.rooms === "every" || room.rooms.includes(target);
}

function roomOf(path: string): string {
  const [first = "", second = "", third] = path.split("/");
  if (second === "") return compositionRoot.includes(first) ? "composition" : "process";
  return first === "adapters" && third !== undefined ? `${first}/${second}` : first;
}
