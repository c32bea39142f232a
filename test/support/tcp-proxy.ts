import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

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
  /** Requests reach the server, replies are lost for good. */
  dropReplies(): void;
  /** Back to a healthy network. */
  accept(): Promise<void>;
  /** How many connections clients hold. */
  readonly connections: number;
  close(): Promise<void>;
}

/** Starts a proxy on a free local port in front of the host and port of `url`. */
export async function tcpProxy(url: string): Promise<TcpProxy> {
  const proxy = new BreakableProxy(new URL(url));
  await proxy.listen(0);
  return proxy;
}

type Mode =
  | { readonly kind: "healthy" | "blackhole" | "dropReplies" }
  | { readonly kind: "delay"; readonly ms: number };

class BreakableProxy implements TcpProxy {
  port = 0;
  readonly #target: URL;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #server: Server | null = null;
  #mode: Mode = { kind: "healthy" };
  #held: (() => void)[] = [];

  constructor(target: URL) {
    this.#target = target;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  async listen(port: number): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (client) => this.#join(client)).listen(port, "127.0.0.1");
    await once(server, "listening");
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  cut(): void {
    this.#held = [];
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
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
    this.#mode = { kind: "delay", ms };
    this.#release();
  }

  dropReplies(): void {
    this.#mode = { kind: "dropReplies" };
    this.#release();
  }

  async accept(): Promise<void> {
    this.#mode = { kind: "healthy" };
    this.#release();
    if (this.#server === null) await this.listen(this.port);
  }

  async close(): Promise<void> {
    await this.refuse();
  }

  #join(client: Socket): void {
    const port = Number(this.#target.port || defaultPorts[this.#target.protocol]);
    const server = connect({ host: this.#target.hostname || "127.0.0.1", port, allowHalfOpen: true });
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    this.#carry(client, server, false);
    this.#carry(server, client, true);
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on("error", () => this.#part(pair));
      socket.on("close", () => client.destroyed && server.destroyed && this.#pairs.delete(pair));
    }
  }

  #part(pair: readonly [Socket, Socket]): void {
    for (const socket of pair) socket.destroy();
    this.#pairs.delete(pair);
  }

  #carry(from: Socket, to: Socket, isReply: boolean): void {
    from.on("data", (chunk) => this.#pass(isReply, () => to.write(chunk)));
    from.on("end", () => this.#pass(false, () => to.end()));
  }

  #pass(isReply: boolean, deliver: () => void): void {
    switch (this.#mode.kind) {
      case "healthy":
        deliver();
        return;
      case "blackhole":
        this.#held.push(deliver);
        return;
      case "delay":
        setTimeout(deliver, this.#mode.ms);
        return;
      case "dropReplies":
        if (!isReply) deliver();
    }
  }

  #release(): void {
    for (const deliver of this.#held.splice(0)) deliver();
  }
}

const defaultPorts: Record<string, string> = {
  "postgres:": "5432",
  "postgresql:": "5432",
  "redis:": "6379",
  "amqp:": "5672",
};
