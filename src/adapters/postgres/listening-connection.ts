import { randomUUID } from "node:crypto";
import { answerWithin } from "./answer-within.js";
import type { ListeningClient } from "./client-types.js";
import type { ListeningWaits } from "./listening-waits.js";
import type { Notification } from "./notify.js";

export interface ListeningConnectionParts {
  readonly client: ListeningClient;
  /** A channel that nobody else listens to. */
  readonly ownChannel: string;
  /** Sends by another connection. */
  readonly send: (notification: Notification) => Promise<void>;
  readonly onNotification: (channel: string, payload: string) => void;
  /** The connection is of no use any more. */
  readonly onLost: () => void;
  readonly waits: ListeningWaits;
}

/** One connection that listens, and holds no process. */
export class ListeningConnection {
  readonly #parts: ListeningConnectionParts;
  readonly #listening = new Map<string, Promise<void>>();
  readonly #echoes = new Map<string, () => void>();
  #lost: Error | null = null;
  #asked: Promise<unknown> = Promise.resolve();

  constructor(parts: ListeningConnectionParts) {
    this.#parts = parts;
    const { client } = parts;
    client.on("error", (cause) => this.#lose(cause));
    client.on("end", () => this.#lose(new Error("the connection was ended")));
    client.on("notification", ({ channel, payload = "" }) => this.#receive(channel, payload));
    client.unref?.();
  }

  /** Connects, listens, and proves that it hears. @throws whatever the reason is that it does not */
  async open(channels: readonly string[]): Promise<void> {
    const { client, ownChannel, waits } = this.#parts;
    await answerWithin(waits.answerMs, client.connect());
    // TLS has replaced the socket meanwhile.
    client.unref?.();
    await Promise.all([ownChannel, ...channels].map((channel) => this.listen(channel)));
    await this.#hearEcho();
    if (this.#lost !== null) throw this.#lost;
  }

  /** Resolves once the channel is listened to. Called again it waits for the same. */
  listen(channel: string): Promise<void> {
    const listening = this.#listening.get(channel) ?? this.#ask(`listen "${channel}"`);
    this.#listening.set(channel, listening);
    return listening;
  }

  /** A connection that is silently dead only stays silent. @throws when it gives no sign of life */
  async giveSignOfLife(): Promise<void> {
    await this.#ask("select 1");
  }

  /** Ends the connection. Never rejects. */
  async close(): Promise<void> {
    await answerWithin(1_000, this.#parts.client.end()).catch(() => {});
  }

  /** A pooler in transaction mode takes LISTEN and delivers nothing; on its own connection it might even hear itself. */
  async #hearEcho(): Promise<void> {
    const { ownChannel, send, waits } = this.#parts;
    const token = randomUUID();
    const heard = new Promise<void>((resolve) => this.#echoes.set(token, resolve));
    try {
      await answerWithin(waits.answerMs, send({ channel: ownChannel, payload: token }));
      await answerWithin(waits.echoMs, heard).catch(() => {
        throw new Error("a notification of its own did not arrive: a connection pooler in transaction mode?");
      });
    } finally {
      this.#echoes.delete(token);
    }
  }

  #lose(cause: unknown): void {
    this.#lost ??= cause instanceof Error ? cause : new Error(String(cause));
    this.#parts.onLost();
  }

  #receive(channel: string, payload: string): void {
    if (channel === this.#parts.ownChannel) this.#echoes.get(payload)?.();
    else this.#parts.onNotification(channel, payload);
  }

  // One query at a time: pg wants it so.
  async #ask(text: string): Promise<void> {
    const answer = this.#asked.then(() => this.#parts.client.query(text));
    this.#asked = answer.catch(() => {});
    await answerWithin(this.#parts.waits.answerMs, answer);
  }
}
