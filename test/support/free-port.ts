import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A local TCP port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
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
