import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { freePort } from "./free-port.js";
import { Pipe } from "./tcp-pipe.js";

/** A network that a test breaks at will, between a client and a real server. */
export interface TcpProxy {
  readonly port: number;
  /** Resets every open connection; new ones are still taken. */
  cut(): void;
  /** As a dead server: resets every connection and refuses new ones. */
  refuse(): Promise<void>;
  /** Connections stay open and new ones open, but nothing gets through until `accept`, which delivers what was held. */
  blackhole(): void;
  /** Everything takes this many milliseconds longer, each way. */
  delay(ms: number): void;
  /** At most so many bytes a second pass through each connection, each way. */
  throttle(bytesPerSecond: number): void;
  /** Requests reach the server, replies are lost for good. */
  dropReplies(): void;
  /**
   * As when a machine dies or a firewall forgets: neither the end nor the loss of one side is passed on. The other side keeps
   * its connection, what it sends is lost, and `accept` resets it.
   */
  halfOpen(): void;
  /** Back to a healthy network. */
  accept(): Promise<void>;
  /** How many connections clients hold. */
  readonly connections: number;
  /** How many bytes of requests have not got through yet. */
  readonly held: number;
  /** How many bytes of replies have not. */
  readonly heldReplies: number;
  /** How many replies, or parts of one, were dropped. */
  readonly droppedReplies: number;
  close(): Promise<void>;
}

/** Starts a proxy on a free local port in front of the host and port of `url`. */
export async function tcpProxy(url: string): Promise<TcpProxy> {
  const proxy = new BreakableProxy(new URL(url));
  await proxy.listen(await freePort());
  return proxy;
}

type Mode =
  | { readonly kind: "healthy" | "blackhole" | "dropReplies" | "halfOpen" }
  | { readonly kind: "delay"; readonly ms: number }
  | { readonly kind: "throttle"; readonly bytesPerSecond: number };

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  readonly requests: Pipe;
  readonly replies: Pipe;
}

class BreakableProxy implements TcpProxy {
  port = 0;
  droppedReplies = 0;
  readonly #target: URL;
  readonly #pairs = new Set<Pair>();
  #server: Server | null = null;
  #mode: Mode = { kind: "healthy" };

  constructor(target: URL) {
    this.#target = target;
  }

  get connections(): number {
    return [...this.#pairs].filter(({ client }) => !client.destroyed).length;
  }

  get held(): number {
    return [...this.#pairs].reduce((sum, { requests }) => sum + requests.length, 0);
  }

  get heldReplies(): number {
    return [...this.#pairs].reduce((sum, { replies }) => sum + replies.length, 0);
  }

  async listen(port: number): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (client) => this.#join(client)).listen(port, "127.0.0.1");
    await once(server, "listening");
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  cut(): void {
    for (const pair of this.#pairs) reset(pair);
    this.#pairs.clear();
  }

  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    server?.close();
    this.cut();
    if (server) await once(server, "close");
  }

  blackhole(): void {
    this.#mode = { kind: "blackhole" };
  }

  delay(ms: number): void {
    this.#become({ kind: "delay", ms });
  }

  throttle(bytesPerSecond: number): void {
    this.#become({ kind: "throttle", bytesPerSecond });
  }

  dropReplies(): void {
    this.#become({ kind: "dropReplies" });
  }

  halfOpen(): void {
    this.#become({ kind: "halfOpen" });
  }

  async accept(): Promise<void> {
    this.#become({ kind: "healthy" });
    for (const pair of this.#pairs) if (pair.client.destroyed || pair.server.destroyed) reset(pair);
    if (this.#server === null) await this.listen(this.port);
  }

  async close(): Promise<void> {
    await this.refuse();
  }

  #become(mode: Mode): void {
    this.#mode = mode;
    for (const { requests, replies } of this.#pairs) {
      requests.release();
      replies.release();
    }
  }

  #join(client: Socket): void {
    const port = Number(this.#target.port || defaultPorts[this.#target.protocol]);
    const server = connect({ host: this.#target.hostname || "127.0.0.1", port, allowHalfOpen: true });
    const pair = { client, server, requests: new Pipe(server), replies: new Pipe(client) };
    this.#pairs.add(pair);
    client.on("data", (chunk) => this.#pass(pair.requests, chunk));
    server.on("data", (chunk) => {
      if (this.#mode.kind === "dropReplies") this.droppedReplies++;
      else this.#pass(pair.replies, chunk);
    });
    client.on("end", () => this.#end(pair.requests));
    server.on("end", () => this.#end(pair.replies));
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", () => this.#mode.kind !== "halfOpen" && this.#part(pair));
      socket.on("close", () => client.destroyed && server.destroyed && this.#pairs.delete(pair));
    }
  }

  #part(pair: Pair): void {
    for (const socket of [pair.client, pair.server]) socket.destroy();
    this.#pairs.delete(pair);
  }

  #pass(pipe: Pipe, chunk: Buffer): void {
    switch (this.#mode.kind) {
      case "blackhole":
        pipe.hold(chunk);
        return;
      case "delay":
        pipe.sendAfter(this.#mode.ms, chunk);
        return;
      case "throttle":
        pipe.sendAt(this.#mode.bytesPerSecond, chunk);
        return;
      default:
        pipe.send(chunk);
    }
  }

  #end(pipe: Pipe): void {
    switch (this.#mode.kind) {
      case "blackhole":
      case "halfOpen":
        pipe.hold(null);
        return;
      case "delay":
        pipe.sendAfter(this.#mode.ms, null);
        return;
      default:
        pipe.send(null);
    }
  }
}

function reset({ client, server, requests, replies }: Pair): void {
  for (const pipe of [requests, replies]) pipe.clear();
  for (const socket of [client, server]) socket.resetAndDestroy();
}

const defaultPorts: Record<string, string> = {
  "postgres:": "5432",
  "postgresql:": "5432",
  "redis:": "6379",
  "amqp:": "5672",
};
