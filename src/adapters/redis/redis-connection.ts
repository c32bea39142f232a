import { answerWithin } from "./answer-within.js";
import { isCluster, type RedisClusterClient, type RedisConnectionClient, type RedisSource } from "./client-types.js";
import { importIoredis, isMissingDependency, openClient } from "./open-client.js";
import type { RedisSettings } from "./redis-options.js";

const leastConnectMs = 1_000;
const quitTimeoutMs = 200;

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
  /** The try that is under way, with the client it opens. Never rejects. */
  #opening: Promise<void> | null = null;
  #candidate: RedisConnectionClient | null = null;
  #retryTimer: NodeJS.Timeout | undefined;
  #reason: unknown = null;
  #outage = false;
  #closing: Promise<void> | null = null;

  constructor(source: RedisSource, settings: RedisSettings, use: ConnectionUse) {
    this.#source = source;
    this.#settings = settings;
    this.#use = use;
    if (typeof source === "string") void this.#requirePackage();
  }

  /** Asks Redis within the time allowed; null when it is out of reach. */
  async ask<T>(question: (client: RedisConnectionClient) => Promise<T>): Promise<T | null> {
    if (this.#closing !== null) return null;
    if (this.#client === null && !this.#outage) await answerWithin(this.#connectMs, this.#open()).catch(() => {});
    const client = this.#client;
    if (client === null) return this.#noticeOutage();
    try {
      return await answerWithin(this.#settings.timeoutMs, question(client));
    } catch (error) {
      this.#lose(client, error);
      return this.#noticeOutage();
    }
  }

  /** Closes the connection. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#shut();
    return this.#closing;
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

  #open(): Promise<void> {
    clearTimeout(this.#retryTimer);
    this.#opening ??= this.#tryToOpen().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #tryToOpen(): Promise<void> {
    let client: RedisConnectionClient | null = null;
    try {
      client = await openClient(this.#source);
      this.#candidate = client;
      await this.#connect(client);
      this.#client = client;
      this.#noticeRecovery();
    } catch (error) {
      client?.disconnect();
      this.#reason ??= error;
      if (!isMissingDependency(this.#reason)) this.#retryLater();
    } finally {
      this.#candidate = null;
    }
  }

  async #connect(client: RedisConnectionClient): Promise<void> {
    this.#reason = null;
    client.on("error", (error) => {
      this.#reason ??= error;
    });
    client.on("end", () => this.#lose(client, new Error("connection closed")));
    await answerWithin(this.#connectMs, client.connect());
    await this.#inTime(isCluster(client) ? requireWhole(client) : Promise.resolve());
    await this.#inTime(this.#use.tryOut(client));
    if (this.#closing !== null) throw new Error("closed");
  }

  get #connectMs(): number {
    return Math.max(leastConnectMs, this.#settings.timeoutMs);
  }

  #inTime<T>(work: Promise<T>): Promise<T> {
    return answerWithin(this.#settings.timeoutMs, work);
  }

  #lose(client: RedisConnectionClient, error: unknown): void {
    if (this.#client !== client) return;
    this.#client = null;
    this.#reason ??= error;
    client.disconnect();
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#closing !== null) return;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => void this.#open(), this.#settings.retryMs);
    this.#retryTimer.unref();
  }

  #noticeOutage(): null {
    if (this.#outage || this.#closing !== null) return null;
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

  async #shut(): Promise<void> {
    clearTimeout(this.#retryTimer);
    this.#candidate?.disconnect();
    await this.#opening;
    const client = this.#client;
    this.#client = null;
    if (client === null) return;
    await answerWithin(quitTimeoutMs, client.quit()).catch(() => client.disconnect());
  }
}

/** A Cluster works when every master says so: one that lost its peers, or is lost, would fail part of each batch. */
async function requireWhole(client: RedisClusterClient): Promise<void> {
  const states = await Promise.all(client.nodes("master").map((node) => node.call("cluster", ["info"])));
  if (!states.every((state) => String(state).includes("cluster_state:ok"))) throw new Error("the cluster is not whole");
}
