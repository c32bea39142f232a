import { Redis } from "ioredis";
import { eventually } from "./eventually.js";
import { freePort } from "./free-port.js";
import { startRedis } from "./private-redis.js";
import { hasPrograms } from "./server-programs.js";

/** Three masters that share the slots, on this machine alone. */
export interface PrivateRedisCluster {
  /** The masters, in the order of their slots, and behind them their replicas where there are any. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** SIGKILL to one master, or where the masters share a container, to all. */
  kill(): Promise<void>;
  /** Starts what was killed again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

type Killable = Pick<PrivateRedisCluster, "kill" | "restart" | "stop">;

const masters = 3;
/** After how long without an answer a node counts as lost, as soon as one is killed. */
const lostAfterMs = 1_000;
/** And until then: a pause of the machine is no failure. */
const calmLostAfterMs = 60_000;
const lastSlot = 16_383;

/** How a Cluster is made. */
export interface RedisClusterOptions {
  /** Gives each master a replica, which takes its place a second or two after its death. @default false */
  readonly replicas?: boolean;
}

/** Starts a Redis Cluster of the caller's own. */
export async function startRedisCluster({ replicas = false }: RedisClusterOptions = {}): Promise<PrivateRedisCluster> {
  const count = replicas ? 2 * masters : masters;
  const [ports, busPorts] = [await freePorts(count), await freePorts(count)];
  const settings = ports.map((port, index) => clusterSettings(port, busPorts[index] as number));
  const servers = hasPrograms("Redis") ? await startPrograms(settings) : await startInOneContainer(ports, settings);
  await form(ports, busPorts);
  await loseNodesAfter(calmLostAfterMs, ports);
  let isCalm = true;
  return {
    ...servers,
    async kill() {
      if (isCalm) await loseNodesAfter(lostAfterMs, ports);
      isCalm = false;
      await servers.kill();
    },
    nodes: ports.map((port) => ({ host: "127.0.0.1", port })),
    [Symbol.asyncDispose]: servers.stop,
  };
}

function clusterSettings(port: number, busPort: number): string[] {
  const names = [
    "--port",
    String(port),
    "--cluster-port",
    String(busPort),
    "--cluster-config-file",
    `nodes-${port}.conf`,
  ];
  const replication = ["--repl-diskless-sync-delay", "0"];
  return [
    ...names,
    ...replication,
    "--cluster-enabled",
    "yes",
    "--cluster-announce-ip",
    "127.0.0.1",
    "--cluster-node-timeout",
    String(lostAfterMs),
  ];
}

async function startPrograms(settings: readonly string[][]): Promise<Killable> {
  const servers = await Promise.all(settings.map((each) => startRedis(each)));
  return {
    kill: async () => servers[0]?.kill(),
    restart: async () => servers[0]?.restart(),
    stop: async () => void (await Promise.all(servers.map((server) => server.stop()))),
  };
}

// Masters must reach each other at the addresses they give to clients: within one container 127.0.0.1 is both.
async function startInOneContainer(ports: readonly number[], settings: readonly string[][]): Promise<Killable> {
  const { runContainer } = await import("./docker-server.js");
  const commands = settings.map((each) => `redis-server ${each.join(" ")} &`);
  return runContainer({
    name: "Redis",
    url: `redis://127.0.0.1:${ports[0]}`,
    port: ports[0] as number,
    options: ports.flatMap((port) => ["-p", `127.0.0.1:${port}:${port}`]),
    command: ["sh", "-c", `${commands.join(" ")} wait`],
  });
}

async function form(ports: readonly number[], busPorts: readonly number[]): Promise<void> {
  const clients = ports.map((port) => new Redis(port, "127.0.0.1"));
  const share = Math.ceil((lastSlot + 1) / masters);
  await Promise.all(
    clients.slice(0, masters).map((client, index) => {
      const first = index * share;
      return client.call("cluster", "addslotsrange", first, Math.min(lastSlot, first + share - 1));
    }),
  );
  for (const [index, port] of ports.entries()) {
    if (index > 0) await clients[0]?.call("cluster", "meet", "127.0.0.1", port, busPorts[index] as number);
  }
  await Promise.all(clients.slice(masters).map((replica, index) => follow(replica, clients[index] as Redis)));
  await eventually(async () => {
    for (const client of clients) {
      const info = String(await client.call("cluster", "info"));
      const whole = ["cluster_state:ok", `cluster_size:${masters}`, `cluster_known_nodes:${ports.length}`];
      if (!whole.every((line) => info.includes(line))) throw new Error(info);
    }
  });
  for (const client of clients) client.disconnect();
}

async function loseNodesAfter(ms: number, ports: readonly number[]): Promise<void> {
  await Promise.all(
    ports.map(async (port) => {
      const client = new Redis(port, "127.0.0.1");
      await client.config("SET", "cluster-node-timeout", ms);
      client.disconnect();
    }),
  );
}

/** Makes a node the replica of a master as soon as it knows it, and waits until it has its data. */
async function follow(replica: Redis, master: Redis): Promise<void> {
  const id = await master.call("cluster", "myid");
  await eventually(() => replica.call("cluster", "replicate", String(id)));
  await eventually(async () => {
    const info = await replica.info("replication");
    if (!info.includes("master_link_status:up")) throw new Error(info);
  });
}

async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}
