import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "./eventually.js";
import { freePort } from "./free-port.js";
import { nodeName, rabbitmqEnvironment, rabbitmqFolder } from "./private-rabbitmq.js";
import { type PrivateServer, runServer } from "./private-server.js";
import { howToGet } from "./server-plan.js";
import { startProcess } from "./server-process.js";
import { findProgram, hasPrograms, rabbitmqScript } from "./server-programs.js";

/** Three nodes of RabbitMQ that are one broker, on this machine alone. */
export interface PrivateRabbitmqCluster extends AsyncDisposable {
  readonly nodes: readonly PrivateServer[];
}

const size = 3;
const cookie = "WORKERPROGRESSTESTS";

/** Starts the nodes from the installed programs; they find each other by their configuration. Takes about fifteen seconds. */
export async function startRabbitmqCluster(): Promise<PrivateRabbitmqCluster> {
  if (!hasPrograms("RabbitMQ")) throw new Error(howToGet("RabbitMQ"));
  await using started = new AsyncDisposableStack();
  const ports: number[] = [];
  while (ports.length < size) ports.push(await freePort());
  const configuration = [
    "cluster_formation.peer_discovery_backend = classic_config",
    // The first has nobody to join, and the others wait for it to see that.
    "cluster_formation.discovery_retry_limit = 1",
    "cluster_formation.discovery_retry_interval = 100",
    ...ports.map((port, i) => `cluster_formation.classic_config.nodes.${i + 1} = ${nodeName(port)}`),
  ].join("\n");
  const folders = ports.map(() => rabbitmqFolder(`${configuration}\n`));
  const epmdPort = await startPortMapper(folders[0] as string, started);
  const starting = folders.map((folder, i) => startNode(folder, ports[i] as number, epmdPort, started));
  const settled = await Promise.allSettled(starting);
  const failed = settled.find((each) => each.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const nodes = await Promise.all(starting);
  await untilOne(folders[0] as string, ports[0] as number, epmdPort);
  const all = started.move();
  return { nodes, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** One for all, which outlives each of them. */
async function startPortMapper(folder: string, started: AsyncDisposableStack): Promise<number> {
  const port = await freePort();
  const program = findProgram("epmd") as string;
  const args = ["-port", String(port), "-address", "127.0.0.1"];
  const epmd = await startProcess({ program, args, folder, endSignal: "SIGTERM" });
  started.defer(() => epmd.kill());
  return port;
}

async function startNode(
  folder: string,
  port: number,
  epmdPort: number,
  started: AsyncDisposableStack,
): Promise<PrivateServer> {
  writeFileSync(join(folder, ".erlang.cookie"), cookie, { mode: 0o400 });
  const env = rabbitmqEnvironment(folder, { port, distributionPort: await freePort(), epmdPort });
  const server = await runServer({
    name: "RabbitMQ",
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    folder,
    command: { program: rabbitmqScript("rabbitmq-server") as string, args: [], env, endSignal: "SIGTERM" },
  });
  return started.use(server);
}

/** A node may be up before it has joined the others. */
async function untilOne(folder: string, port: number, epmdPort: number): Promise<void> {
  const env = rabbitmqEnvironment(folder, { port, distributionPort: await freePort(), epmdPort });
  const program = rabbitmqScript("rabbitmqctl") as string;
  await eventually(
    async () => {
      const args = ["cluster_status", "--formatter", "json"];
      const { stdout } = await promisify(execFile)(program, args, { env, cwd: folder });
      const running = (JSON.parse(stdout) as { running_nodes: readonly string[] }).running_nodes;
      if (running.length < size) throw new Error(`${running.length} of ${size} nodes run`);
    },
    { timeoutMs: 30_000, everyMs: 500 },
  );
}
