import { randomInt } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

// Below the ports that systems hand out by themselves, from 32,768 up: nobody gets one of these by chance, neither between its
// being found and its being used nor while its server is restarted. A rabbitmqctl listens 10,000 above its node.
const first = 20_000;
const pairs = 5_000;
let next = randomInt(pairs);

/** A local TCP port that nobody listens on, and that is found for nobody else as long as this process lives. */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < pairs; tried++) {
    const port = first + 2 * (next++ % pairs);
    // Who listens on the port above has it. Processes that look at the same time are told apart by the system.
    const mark = await listenOn(port + 1);
    if (mark === null) continue;
    const probe = await listenOn(port);
    if (probe === null) {
      await close(mark);
      continue;
    }
    await close(probe);
    mark.unref();
    return port;
  }
  throw new Error(`No local port from ${first} to ${first + 2 * pairs} is free`);
}

async function listenOn(port: number): Promise<Server | null> {
  const server = createServer().listen(port, "127.0.0.1");
  return once(server, "listening").then(
    () => server,
    () => null,
  );
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, "close");
}

/** Waits until a local port refuses connections: a killed process of many threads lets go of its sockets a little later. */
export async function untilRefused(port: number): Promise<void> {
  while ((await attempt(port)) !== "ECONNREFUSED") await sleep(5);
}

function attempt(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => socket.destroy());
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.once("close", () => resolve(undefined));
  });
}
