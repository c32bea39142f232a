import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { eventually } from "../support/eventually.js";
import { freePort } from "../support/free-port.js";
import { startRedis } from "../support/private-redis.js";
import { runServer, serverFolder } from "../support/private-server.js";
import { howToGet } from "../support/server-plan.js";
import { findProgram, hasPrograms } from "../support/server-programs.js";

/** A master, its replica, and the Sentinel that promotes the replica when the master is gone. */
export interface RedisSentinel {
  /** The port of the Sentinel. */
  readonly port: number;
  /** The name that the master goes by. */
  readonly name: string;
  /** SIGKILL to the master; resolves when the replica takes writes and the Sentinel names it. */
  failOver(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const name = "progress";
/** A Sentinel that was held up for two seconds does nothing for thirty ("TILT"). */
const patienceMs = 45_000;

/** Starts the three from the installed program. */
export async function startRedisSentinel(): Promise<RedisSentinel> {
  if (!hasPrograms("Redis")) throw new Error(howToGet("Redis"));
  await using started = new AsyncDisposableStack();
  const master = started.use(await startRedis(["--repl-diskless-sync-delay", "0"]));
  const replica = started.use(await startRedis(["--replicaof", "127.0.0.1", String(master.port)]));
  // What a Sentinel does not see when it comes, it sees ten seconds later.
  await untilReplicating(replica.url);
  const sentinel = started.use(await startSentinel(master.port));
  const asked = new Redis(sentinel.url);
  started.defer(() => asked.disconnect());
  const masterPort = async () =>
    Number(((await asked.call("sentinel", "get-master-addr-by-name", name)) as string[])[1]);
  await eventually(
    async () => {
      const replicas = (await asked.call("sentinel", "replicas", name)) as { flags: string }[] | string[][];
      if (!JSON.stringify(replicas).includes('"ok"')) throw new Error(JSON.stringify(replicas));
    },
    { timeoutMs: patienceMs },
  );
  const all = started.move();
  return {
    port: sentinel.port,
    name,
    async failOver() {
      await master.kill();
      await eventually(
        async () => {
          if ((await masterPort()) !== replica.port) throw new Error("the replica is not promoted yet");
        },
        { timeoutMs: patienceMs },
      );
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function untilReplicating(url: string): Promise<void> {
  const client = new Redis(url);
  try {
    await eventually(async () => {
      const info = await client.info("replication");
      if (!info.includes("master_link_status:up")) throw new Error(info);
    });
  } finally {
    client.disconnect();
  }
}

async function startSentinel(masterPort: number) {
  const port = await freePort();
  const folder = serverFolder("Redis");
  const config = [
    `port ${port}`,
    "bind 127.0.0.1",
    `dir ${folder}`,
    `sentinel monitor ${name} 127.0.0.1 ${masterPort} 1`,
    `sentinel down-after-milliseconds ${name} 300`,
    `sentinel failover-timeout ${name} 2000`,
  ];
  writeFileSync(join(folder, "sentinel.conf"), `${config.join("\n")}\n`);
  const args = [join(folder, "sentinel.conf"), "--sentinel"];
  const program = findProgram("redis-server") as string;
  return runServer({
    name: "Redis",
    url: `redis://127.0.0.1:${port}`,
    port,
    folder,
    command: { program, args, endSignal: "SIGTERM" },
  });
}
