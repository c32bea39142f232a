import { backoffMs } from "../domain/backoff.js";
import { WorkerProgressError } from "../domain/errors.js";
import { longestDelayMs } from "../domain/longest-delay.js";
import { reasonOf } from "../domain/reason-of.js";
import type { ClassifiedSource } from "./amqp-source.js";
import type { AmqpConsumerChannel } from "./client-types.js";
import { ConsumeSession } from "./consume-session.js";
import type { ConsumerConnection } from "./consumer-connection.js";
import type { ConsumerSettings } from "./consumer-options.js";
import { JobTurns } from "./job-turns.js";
import { openConnection } from "./open-connection.js";
import { pause } from "./pause.js";
import { within } from "./within.js";

/** Where a consumer stands. */
export type ConsumerState =
  | { readonly kind: "idle" | "connecting" | "stopped" }
  /** `inHand`: events that are being handled or wait for their next try. */
  | { readonly kind: "consuming"; readonly inHand: number }
  /** Out of reach; tried again unless the connection was given. */
  | { readonly kind: "lost"; readonly reason: string };

/** Options of `stop`. */
export interface StopOptions {
  /** How long handlers that run are waited for, in milliseconds. @default 10000 */
  readonly deadlineMs?: number;
}

const reconnect = { firstMs: 200, maxMs: 30_000 };

/** Keeps one session while it runs: connecting → consuming → lost → connecting → … → stopped. */
export class ConsumerLoop<Extra extends object> {
  readonly #source: ClassifiedSource;
  readonly #settings: ConsumerSettings<Extra>;
  /** Outlives sessions, so that a redelivered event waits for the handler that still runs. */
  readonly #turns = new JobTurns();
  readonly #stopping = new AbortController();
  #state: ConsumerState = { kind: "idle" };
  #session: { readonly session: ConsumeSession<Extra>; readonly consumerTag: string } | null = null;
  #started: Promise<void> | null = null;
  #running: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | null = null;

  constructor(source: ClassifiedSource, settings: ConsumerSettings<Extra>) {
    this.#source = source;
    this.#settings = settings;
  }

  state(): ConsumerState {
    return this.#state.kind === "consuming" && this.#session !== null
      ? { kind: "consuming", inHand: this.#session.session.inHand }
      : this.#state;
  }

  start(): Promise<void> {
    if (this.#stopping.signal.aborted) return Promise.reject(stoppedError());
    if (this.#started === null) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#started = promise;
      this.#running = this.#run(resolve, reject);
    }
    return this.#started;
  }

  stop({ deadlineMs = 10_000 }: StopOptions = {}): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  async #stop(deadlineMs: number): Promise<void> {
    this.#stopping.abort();
    await this.#session?.session.stop(this.#session.consumerTag, Math.min(deadlineMs, longestDelayMs));
    await this.#running;
    this.#state = { kind: "stopped" };
  }

  /** Never rejects. */
  async #run(started: () => void, failed: (error: unknown) => void): Promise<void> {
    const { signal } = this.#stopping;
    const { queue, log } = this.#settings;
    let known = "";
    let consumed = false;
    for (let failures = 0; !signal.aborted; failures++) {
      if (failures > 0) await pause(backoffMs(failures, reconnect, Math.random()), signal);
      if (signal.aborted) break;
      const end = await this.#consume(() => {
        if (failures > 0) log.warn("Reading events again", { queue });
        [failures, known, consumed] = [0, "", true];
        started();
      });
      if (signal.aborted) break;
      const reason = reasonOf(end.reason);
      this.#state = { kind: "lost", reason };
      if (end.forGood || (!consumed && isPermanent(end.reason))) {
        this.#started = null;
        failed(end.forGood ? givenClosed(reason) : end.reason);
        if (consumed) log.warn(givenClosed(reason).message, { queue });
        return;
      }
      if (reason !== known) log.warn("Cannot read events for the time being, trying again", { queue, reason });
      known = reason;
    }
    failed(stoppedError());
  }

  /** One connection and one session on it, until it ends. Never rejects. */
  async #consume(begun: () => void): Promise<{ readonly reason: unknown; readonly forGood: boolean }> {
    this.#state = { kind: "connecting" };
    let connection: ConsumerConnection | null = null;
    let reason: unknown;
    try {
      connection = await openConnection(this.#source, this.#settings.connectTimeoutMs);
      reason = await this.#consumeOn(connection, begun);
    } catch (error) {
      reason = error;
    }
    this.#session = null;
    const closed = connection?.lost ?? (isClosedConnection(reason) ? reasonOf(reason) : null);
    await connection?.release(this.#settings.connectTimeoutMs);
    return { reason, forGood: this.#source.kind === "given" && closed !== null };
  }

  async #consumeOn(connection: ConsumerConnection, begun: () => void): Promise<string> {
    const { connectTimeoutMs } = this.#settings;
    const opening = (async () => connection.model.createConfirmChannel())();
    const channel = await within(opening, connectTimeoutMs, discard);
    const session = new ConsumeSession(connection, channel, this.#settings, this.#turns, this.#stopping.signal);
    try {
      const consumerTag = await within(session.begin(), connectTimeoutMs);
      if (this.#stopping.signal.aborted) return "it was stopped";
      this.#session = { session, consumerTag };
      this.#state = { kind: "consuming", inHand: 0 };
      begun();
      return await session.ended;
    } finally {
      await session.close("it ended");
    }
  }
}

function discard(channel: AmqpConsumerChannel): void {
  channel.on("error", () => {});
  channel.close().catch(() => {});
}

/** What trying again cannot mend. */
function isPermanent(error: unknown): boolean {
  if (error instanceof TypeError) return true;
  return (
    error instanceof WorkerProgressError && (error.code === "TOPOLOGY_MISMATCH" || error.code === "MISSING_DEPENDENCY")
  );
}

function isClosedConnection(error: unknown): boolean {
  return error instanceof Error && error.name === "IllegalOperationError";
}

function givenClosed(reason: string): WorkerProgressError {
  const message = `The given RabbitMQ connection is closed and cannot be opened again, pass a URL or a factory instead: ${reason}`;
  return new WorkerProgressError("PUBLISHER_UNAVAILABLE", message);
}

function stoppedError(): WorkerProgressError {
  return new WorkerProgressError("REPORTER_CLOSED", "Cannot read events: the consumer is stopped");
}
