import { backoffMs } from "../../domain/backoff.js";
import type { LiveListener, LiveMessage, Unsubscribe } from "../../ports/live.js";
import { answerWithin } from "./answer-within.js";
import {
  channelOf,
  isCluster,
  type RedisClient,
  type RedisConnectionClient,
  type RedisSource,
} from "./client-types.js";
import { LiveChannel } from "./live-channel.js";
import { openClient, openNode } from "./open-client.js";
import type { RedisSettings } from "./redis-options.js";
import { SubscribeQueue } from "./subscribe-queue.js";

const leastConnectMs = 1_000;
const longestRetries = 5;

/** Reads what came on a channel; null for what is not to be delivered. Names are without the client's own prefix. */
export type ReadPayload = (channel: string, payload: string) => LiveMessage | null;

/**
 * One connection for every channel that is listened to, opened at the first. It is asked for a sign of life every
 * `retryMs`, since one that is silently dead only stays silent; when it is lost, a new one subscribes to everything again.
 */
export class RedisSubscriber {
  readonly #source: RedisSource;
  readonly #settings: RedisSettings;
  readonly #read: ReadPayload;
  readonly #channels = new Map<string, LiveChannel>();
  #client: RedisClient | null = null;
  /** Of the client there is. */
  #queue: SubscribeQueue | null = null;
  /** The try that is under way. Never rejects. */
  #opening: Promise<void> | null = null;
  #candidates: RedisConnectionClient[] = [];
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #outage = false;
  #closed = false;

  constructor(source: RedisSource, settings: RedisSettings, read: ReadPayload) {
    this.#source = source;
    this.#settings = settings;
    this.#read = read;
  }

  /** Resolves once the subscription stands, or when it is clear that it does not for now. */
  async subscribe(name: string, listener: LiveListener): Promise<Unsubscribe> {
    if (this.#closed) return () => {};
    const channel = this.#channels.get(name) ?? new LiveChannel(name, this.#settings.log);
    this.#channels.set(name, channel);
    return channel.add(
      listener,
      () => this.#ready(channel),
      () => this.#leave(channel),
    );
  }

  /** Closes the connection. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#channels.clear();
    clearTimeout(this.#timer);
    for (const candidate of this.#candidates) candidate.disconnect();
    await this.#opening;
    this.#client?.disconnect();
    this.#client = null;
  }

  async #ready(channel: LiveChannel): Promise<void> {
    if (this.#client === null && !this.#outage) await answerWithin(this.#connectMs, this.#open()).catch(() => {});
    if (this.#client !== null && channel.subscribing === null) this.#queue?.add(channel);
    await channel.subscribing;
  }

  #leave(channel: LiveChannel): void {
    if (!channel.isEmpty) return;
    this.#channels.delete(channel.name);
    const client = this.#client;
    client?.call("unsubscribe", [channelOf(client, channel.name)]).catch(() => {});
  }

  #open(): Promise<void> {
    this.#opening ??= this.#tryToOpen().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #tryToOpen(): Promise<void> {
    let reason: unknown = null;
    const noticeReason = (error: unknown) => {
      reason ??= error;
    };
    try {
      const client = await this.#connect(noticeReason);
      this.#candidates = this.#candidates.filter((each) => each !== client);
      this.#start(client);
    } catch (error) {
      noticeReason(error);
      this.#noticeOutage(reason);
      this.#failures++;
      this.#retryLater();
    } finally {
      for (const candidate of this.#candidates.splice(0)) candidate.disconnect();
    }
  }

  async #connect(onError: (error: unknown) => void): Promise<RedisClient> {
    const first = await openClient(this.#source);
    await this.#connectOne(first, onError);
    if (!isCluster(first)) return first;
    const node = openNode(first);
    await this.#connectOne(node, onError);
    return node;
  }

  async #connectOne(client: RedisConnectionClient, onError: (error: unknown) => void): Promise<void> {
    this.#candidates.push(client);
    client.on("error", onError);
    if (this.#closed) throw new Error("closed");
    await answerWithin(this.#connectMs, client.connect());
  }

  #start(client: RedisClient): void {
    this.#client = client;
    const prefix = channelOf(client, "");
    client.on("end", () => this.#lose(client));
    client.on("message", (channel, payload) => this.#receive(channel.slice(prefix.length), payload));
    const queue = new SubscribeQueue((channels) => this.#subscribe(client, channels));
    this.#queue = queue;
    for (const channel of this.#channels.values()) queue.add(channel);
    this.#listenForLife(client);
    this.#noticeRecovery();
  }

  async #subscribe(client: RedisClient, channels: readonly LiveChannel[]): Promise<void> {
    const wanted = channels.filter((channel) => this.#channels.get(channel.name) === channel);
    if (wanted.length === 0) return;
    const names = wanted.map(({ name }) => channelOf(client, name));
    try {
      await answerWithin(this.#settings.timeoutMs, client.call("subscribe", names));
      if (this.#client === client) for (const channel of wanted) channel.stood();
    } catch {
      this.#lose(client);
    }
  }

  #receive(name: string, payload: string): void {
    const message = this.#read(name, payload);
    if (message !== null) this.#channels.get(name)?.deliver(message);
  }

  #listenForLife(client: RedisClient): void {
    this.#later(this.#settings.retryMs, async () => {
      try {
        await answerWithin(this.#settings.timeoutMs, client.call("ping", []));
        this.#failures = 0;
        if (this.#client === client) this.#listenForLife(client);
      } catch {
        this.#lose(client);
      }
    });
  }

  #lose(client: RedisClient): void {
    if (this.#client !== client) return;
    this.#client = null;
    client.disconnect();
    for (const channel of this.#channels.values()) channel.lost();
    this.#retryLater();
    this.#failures++;
  }

  /** At once for a connection that was in use, since every moment is a gap. */
  #retryLater(): void {
    const { retryMs } = this.#settings;
    const policy = { firstMs: retryMs, maxMs: retryMs * longestRetries };
    const delayMs = this.#failures === 0 ? 0 : backoffMs(this.#failures, policy, Math.random());
    this.#later(delayMs, () => this.#open());
  }

  #later(delayMs: number, run: () => Promise<void>): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => void run(), delayMs);
    this.#timer.unref();
  }

  get #connectMs(): number {
    return Math.max(leastConnectMs, this.#settings.timeoutMs);
  }

  #noticeOutage(cause: unknown): void {
    if (this.#outage || this.#closed) return;
    this.#outage = true;
    const reason = cause instanceof Error ? cause.message : "no connection yet";
    this.#settings.log.warn("Redis is out of reach: live updates are not heard until it answers", { reason });
  }

  #noticeRecovery(): void {
    if (!this.#outage) return;
    this.#outage = false;
    this.#settings.log.warn("Redis answers again: live updates are heard");
  }
}
