import { backoffMs } from "../../domain/backoff.js";
import type { Log } from "../../ports/log.js";
import { answerWithin } from "./answer-within.js";
import type { ListeningClients } from "./listening-client.js";
import { ListeningConnection } from "./listening-connection.js";
import type { ListeningWaits } from "./listening-waits.js";
import type { Notification } from "./notify.js";
import { OutageLog } from "./outage-log.js";
import type { TableChannels, Topic } from "./table-channels.js";

export interface NotificationListenerParts {
  readonly clients: ListeningClients;
  readonly channels: () => Promise<TableChannels>;
  /** A channel that nobody else listens to. */
  readonly ownChannel: string;
  /** Sends by another connection. */
  readonly send: (notification: Notification) => Promise<void>;
  /** The topics that somebody wants to hear now. */
  readonly wanted: () => readonly Topic[];
  readonly onPayload: (payload: string) => void;
  /** A topic is heard from now on. */
  readonly onStands: (topic: Topic) => void;
  /** Nothing is heard from now on. */
  readonly onLost: () => void;
  readonly log: Log;
  readonly waits: ListeningWaits;
}

interface Standing {
  readonly connection: ListeningConnection;
  readonly channels: TableChannels;
  readonly heard: Set<Topic>;
}

/**
 * Keeps one connection for all that is listened to in this process, from the first who wants to hear until a while after the
 * last. When it is lost, a new one listens again to everything.
 */
export class NotificationListener {
  readonly #parts: NotificationListenerParts;
  readonly #outage: OutageLog;
  #standing: Standing | null = null;
  /** The try that is under way. Never rejects. */
  #opening: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  constructor(parts: NotificationListenerParts) {
    this.#parts = parts;
    this.#outage = new OutageLog(
      parts.log,
      "PostgreSQL notifications are not heard: watched jobs are polled until they are",
      "PostgreSQL notifications are heard again",
    );
  }

  hears(topic: Topic): boolean {
    return this.#standing?.heard.has(topic) ?? false;
  }

  /** Resolves once a topic that is wanted is heard, or when it is clear that it is not for now. */
  async listen(topic: Topic): Promise<void> {
    if (this.#closed || this.hears(topic)) return;
    if (this.#outage.isOut) {
      // When the last try was due nobody wanted to hear.
      if (this.#timer === undefined) void this.#open();
      return;
    }
    const listening = this.#standing === null ? this.#open() : this.#listenOn(this.#standing, topic);
    await answerWithin(this.#parts.waits.readyMs, listening).catch(() => {});
  }

  /** Closes the connection. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#opening !== null) await answerWithin(this.#parts.waits.readyMs, this.#opening).catch(() => {});
    await this.#rest();
  }

  #open(): Promise<void> {
    this.#opening ??= this.#tryToOpen().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #tryToOpen(): Promise<void> {
    for (let left = this.#parts.clients.hosts; left > 0; left--) {
      const failure = await this.#openOne();
      if (failure === null || this.#closed) return;
      if (left === 1) this.#outage.lost(failure.cause);
    }
    this.#retryLater();
  }

  /** Null when a connection stands. */
  async #openOne(): Promise<{ readonly cause: unknown } | null> {
    let connection: ListeningConnection | null = null;
    try {
      const channels = await this.#parts.channels();
      connection = await this.#connect();
      const topics = this.#parts.wanted();
      await connection.open(topics.map((topic) => channels[topic]));
      if (this.#closed) throw new Error("closed");
      await this.#stand({ connection, channels, heard: new Set(topics) });
      return null;
    } catch (cause) {
      void connection?.close();
      return { cause };
    }
  }

  async #connect(): Promise<ListeningConnection> {
    const { clients, ownChannel, send, onPayload, waits } = this.#parts;
    const connection: ListeningConnection = new ListeningConnection({
      client: await clients.make(),
      ownChannel,
      send,
      onNotification: (_, payload) => onPayload(payload),
      onLost: () => this.#lose(connection),
      waits,
    });
    return connection;
  }

  async #stand(standing: Standing): Promise<void> {
    this.#standing = standing;
    this.#outage.back();
    for (const topic of standing.heard) this.#parts.onStands(topic);
    this.#watchOver(standing);
    // What came to be wanted while the connection was opened.
    await Promise.all(this.#parts.wanted().map((topic) => this.#listenOn(standing, topic)));
  }

  async #listenOn(standing: Standing, topic: Topic): Promise<void> {
    if (standing.heard.has(topic)) return;
    try {
      await standing.connection.listen(standing.channels[topic]);
      if (this.#standing !== standing) return;
      standing.heard.add(topic);
      this.#parts.onStands(topic);
    } catch {
      this.#lose(standing.connection);
    }
  }

  #watchOver(standing: Standing): void {
    this.#later(this.#parts.waits.lifeMs, async () => {
      if (this.#parts.wanted().length === 0 || this.#parts.clients.isOver()) return this.#rest();
      try {
        await standing.connection.giveSignOfLife();
        this.#failures = 0;
        if (this.#standing === standing) this.#watchOver(standing);
      } catch {
        this.#lose(standing.connection);
      }
    });
  }

  async #rest(): Promise<void> {
    const standing = this.#standing;
    this.#standing = null;
    await standing?.connection.close();
  }

  #lose(connection: ListeningConnection): void {
    if (this.#standing?.connection !== connection) return;
    this.#standing = null;
    this.#parts.onLost();
    void connection.close();
    this.#retryLater();
  }

  /** At once for a connection that was in use, since every moment is a gap. */
  #retryLater(): void {
    const delayMs =
      this.#failures === 0 && !this.#outage.isOut
        ? 0
        : backoffMs(this.#failures, this.#parts.waits.backoff, Math.random());
    this.#failures++;
    this.#later(delayMs, async () => {
      if (this.#parts.wanted().length > 0 && !this.#parts.clients.isOver()) await this.#open();
    });
  }

  #later(delayMs: number, run: () => Promise<void>): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void run();
    }, delayMs);
    this.#timer.unref();
  }
}
