import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "./free-port.js";
import { type PrivateServer, runServer, serverFolder } from "./private-server.js";
import { findProgram, rabbitmqScript } from "./server-programs.js";

/** A RabbitMQ of the test's own. */
export interface PrivateRabbitmq extends PrivateServer {
  /** Runs `rabbitmqctl` against it and answers what it printed. */
  ctl(...args: readonly string[]): Promise<string>;
}

/**
 * Starts a RabbitMQ with its own node name, cookie, folders and port mapper from the installed programs; `configuration` is its
 * `rabbitmq.conf`.
 */
export async function startRabbitmq(configuration = ""): Promise<PrivateRabbitmq> {
  const folder = rabbitmqFolder(configuration);
  const [port, distributionPort, epmdPort] = [await freePort(), await freePort(), await freePort()];
  const env = rabbitmqEnvironment(folder, { port, distributionPort, epmdPort });
  const server = await runServer({
    name: "RabbitMQ",
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    folder,
    companions: [
      {
        program: findProgram("epmd") as string,
        args: ["-port", String(epmdPort), "-address", "127.0.0.1"],
        endSignal: "SIGTERM",
      },
    ],
    command: { program: rabbitmqScript("rabbitmq-server") as string, args: [], env, endSignal: "SIGTERM" },
  });
  const ctl = async (...args: readonly string[]) => {
    const { stdout } = await promisify(execFile)(rabbitmqScript("rabbitmqctl") as string, args, { env, cwd: folder });
    return stdout;
  };
  return Object.defineProperties({ ctl }, Object.getOwnPropertyDescriptors(server)) as PrivateRabbitmq;
}

/** A folder for a node, with its configuration in it. */
export function rabbitmqFolder(configuration = ""): string {
  const folder = serverFolder("RabbitMQ");
  writeFileSync(join(folder, "enabled_plugins"), "[].\n");
  writeFileSync(join(folder, "rabbitmq.conf"), configuration);
  writeFileSync(join(folder, "environment"), "");
  return folder;
}

/** The ports of a node, and of the port mapper that it is known to. */
export interface Ports {
  readonly port: number;
  readonly distributionPort: number;
  readonly epmdPort: number;
}

/** The name of the node that listens on a port. */
export function nodeName(port: number): string {
  return `worker_progress_${port}@localhost`;
}

/** What keeps a node to its own name, folders and ports; nodes of one folder's cookie and one port mapper find each other. */
export function rabbitmqEnvironment(folder: string, { port, distributionPort, epmdPort }: Ports): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("RABBITMQ_"));
  return {
    ...Object.fromEntries(inherited),
    HOME: folder,
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    RABBITMQ_NODENAME: nodeName(port),
    RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_MNESIA_BASE: join(folder, "mnesia"),
    RABBITMQ_LOG_BASE: join(folder, "log"),
    RABBITMQ_PID_FILE: join(folder, "pid"),
    RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
    RABBITMQ_CONF_ENV_FILE: join(folder, "environment"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "enabled_plugins"),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
  };
}
