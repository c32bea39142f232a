import { Redis } from "ioredis";
import { eventually } from "./eventually.js";
import { freePort } from "./free-port.js";
import { startRedis } from "./private-redis.js";
import { hasPrograms } from "./server-programs.js";

/** Three masters that share the slots, on this machine alone. */
export interface PrivateRedisCluster {
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** SIGKILL to one master, or where the masters share a container, to all. */
  kill(): Promise<void>;
  /** Starts what was killed again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

type Killable = Pick<PrivateRedisCluster, "kill" | "restart" | "stop">;

const lastSlot = 16_383;

/** Starts a Redis Cluster of the caller's own. */
export async function startRedisCluster(): Promise<PrivateRedisCluster> {
  const ports = [await freePort(), await freePort(), await freePort()];
  const busPorts = [await freePort(), await freePort(), await freePort()];
  const settings = ports.map((port, index) => clusterSettings(port, busPorts[index] as number));
  const servers = hasPrograms("Redis") ? await startPrograms(settings) : await startInOneContainer(ports, settings);
  await form(ports, busPorts);
  return {
    ...servers,
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
  return [...names, "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", "--cluster-node-timeout", "1000"];
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
  const share = Math.ceil((lastSlot + 1) / ports.length);
  await Promise.all(
    clients.map((client, index) => {
      const first = index * share;
      return client.call("cluster", "addslotsrange", first, Math.min(lastSlot, first + share - 1));
    }),
  );
  for (const [index, port] of ports.entries()) {
    if (index > 0) await clients[0]?.call("cluster", "meet", "127.0.0.1", port, busPorts[index] as number);
  }
  await eventually(async () => {
    for (const client of clients) {
      const info = String(await client.call("cluster", "info"));
      if (!info.includes("cluster_state:ok") || !info.includes(`cluster_size:${ports.length}`)) throw new Error(info);
    }
  });
  for (const client of clients) client.disconnect();
}
