import { answerWithin } from "./answer-within.js";
import { isCluster, type RedisClusterClient, type RedisConnectionClient, type RedisSource } from "./client-types.js";
import { importIoredis, openClient } from "./open-client.js";
import type { RedisSettings } from "./redis-options.js";

const leastConnectMs = 1_000;

/** How a connection is tried out, and what an operator is told while there is none. */
export interface ConnectionUse {
  /** Rejects for whatever would make the real calls reject. */
  readonly tryOut: (client: RedisConnectionClient) => Promise<void>;
  /** What happens instead, as in "Redis is out of reach: …". */
  readonly meanwhile: string;
}

/**
 * A connection that is never needed. It is opened at the first call and used until it fails a call; then calls are
 * answered "null" at once while a new one is tried for in the background.
 */
export class RedisConnection {
  readonly #source: RedisSource;
  readonly #settings: RedisSettings;
  readonly #use: ConnectionUse;
  #client: RedisConnectionClient | null = null;
  /** The try that is under way. Never rejects. */
  #opening: Promise<void> | null = null;
  /** What the last try opened, whatever has become of it. */
  #candidate: RedisConnectionClient | null = null;
  #retryTimer: NodeJS.Timeout | undefined;
  #reason: unknown = null;
  #outage = false;
  #closed = false;

  constructor(source: RedisSource, settings: RedisSettings, use: ConnectionUse) {
    this.#source = source;
    this.#settings = settings;
    this.#use = use;
    if (typeof source === "string") void this.#requirePackage();
  }

  /** Asks Redis within the time allowed; null when it is out of reach. */
  async ask<T>(question: (client: RedisConnectionClient) => Promise<T>): Promise<T | null> {
    if (this.#client === null && !this.#outage) await this.#open();
    const client = this.#client;
    if (client === null) return this.#noticeOutage();
    try {
      return await answerWithin(this.#settings.timeoutMs, question(client));
    } catch (error) {
      this.#lose(client, error);
      return this.#noticeOutage();
    }
  }

  /** Closes the connection, once what it was asked has been sent. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#candidate?.disconnect();
  }

  /** Says early what to install, rather than at the first call of a worker. */
  async #requirePackage(): Promise<void> {
    try {
      await importIoredis();
    } catch (error) {
      this.#reason ??= error;
      this.#noticeOutage();
    }
  }

  async #open(): Promise<void> {
    if (this.#closed) return;
    clearTimeout(this.#retryTimer);
    this.#opening ??= this.#tryToOpen().finally(() => {
      this.#opening = null;
    });
    await this.#opening;
  }

  async #tryToOpen(): Promise<void> {
    this.#reason = null;
    try {
      const client = await openClient(this.#source);
      if (this.#closed) return;
      this.#candidate = client;
      await answerWithin(this.#connectMs, this.#connect(client));
      this.#client = client;
      this.#noticeRecovery();
    } catch (error) {
      this.#candidate?.disconnect();
      this.#reason ??= error;
      this.#retryLater();
    }
  }

  async #connect(client: RedisConnectionClient): Promise<void> {
    client.on("error", (error) => {
      this.#reason ??= error;
    });
    client.on("end", () => this.#lose(client, new Error("connection closed")));
    await client.connect();
    await answerWithin(this.#settings.timeoutMs, this.#tryOut(client));
  }

  async #tryOut(client: RedisConnectionClient): Promise<void> {
    // First, since it connects to every master: until then ioredis puts off each command of a Cluster by 100 ms.
    if (isCluster(client)) await requireWhole(client);
    await this.#use.tryOut(client);
  }

  get #connectMs(): number {
    return Math.max(leastConnectMs, this.#settings.timeoutMs);
  }

  #lose(client: RedisConnectionClient, error: unknown): void {
    if (this.#client !== client) return;
    this.#client = null;
    this.#reason ??= error;
    client.disconnect();
    this.#retryLater();
  }

  #retryLater(): void {
    this.#retryTimer = setTimeout(() => void this.#open(), this.#settings.retryMs);
    this.#retryTimer.unref();
  }

  #noticeOutage(): null {
    // A call that failed late may find another connection in use.
    if (this.#client !== null || this.#outage || this.#closed) return null;
    this.#outage = true;
    const reason = this.#reason instanceof Error ? this.#reason.message : "no connection yet";
    this.#settings.log.warn(`Redis is out of reach: ${this.#use.meanwhile}`, { reason });
    return null;
  }

  #noticeRecovery(): void {
    this.#reason = null;
    if (!this.#outage) return;
    this.#outage = false;
    this.#settings.log.warn("Redis answers again");
  }
}

/** A Cluster works when every master says so: one that lost its peers, or is lost, would fail part of each batch. */
async function requireWhole(client: RedisClusterClient): Promise<void> {
  const states = await Promise.all(client.nodes("master").map((node) => node.call("cluster", ["info"])));
  if (!states.every((state) => String(state).includes("cluster_state:ok"))) throw new Error("the cluster is not whole");
}
