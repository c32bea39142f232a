import { WorkerProgressError } from "../../domain/errors.js";
import { reasonOf } from "../../domain/reason-of.js";
import { type BrokerConnection, openConnection } from "./broker-connection.js";
import type { ConfirmSession } from "./confirm-session.js";
import { openSession } from "./open-session.js";
import type { PublisherSettings } from "./options.js";
import type { RabbitmqPublisherState } from "./publisher-state.js";
import type { ClassifiedSource } from "./rabbitmq-source.js";

type LinkState =
  | { readonly kind: "idle" }
  | { readonly kind: "connecting"; readonly opening: Promise<ConfirmSession> }
  | { readonly kind: "ready"; readonly opening: Promise<ConfirmSession>; readonly session: ConfirmSession }
  | { readonly kind: "lost"; readonly reason: string }
  | { readonly kind: "closed"; readonly closing: Promise<void> };

/**
 * Keeps one session: idle → connecting → ready → lost → connecting → … → closed. It connects when it is asked to and never
 * on its own: whoever publishes decides when to try again, so an idle publisher holds no timer. amqplib's own recovery
 * is not used: it loses channels, and a socket lost while it sets up is an uncaught exception.
 */
export class Supervisor {
  readonly #source: ClassifiedSource;
  readonly #settings: PublisherSettings;
  #state: LinkState = { kind: "idle" };
  /** Outlives its sessions: a channel can end alone. */
  #connection: BrokerConnection | null = null;

  constructor(source: ClassifiedSource, settings: PublisherSettings) {
    this.#source = source;
    this.#settings = settings;
  }

  /**
   * The session that is open, or a new one. Callers that wait for the same session get it in the order of their calls.
   * @throws {REPORTER_CLOSED} after `close()`
   */
  session(): Promise<ConfirmSession> {
    switch (this.#state.kind) {
      case "connecting":
      case "ready":
        return this.#state.opening;
      case "closed":
        return Promise.reject(closedError());
      default: {
        const opening = this.#open();
        this.#state = { kind: "connecting", opening };
        opening.then(
          (session) => this.#opened(opening, session),
          (error) => this.#failed(opening, reasonOf(error)),
        );
        return opening;
      }
    }
  }

  state(): RabbitmqPublisherState {
    const state = this.#state;
    switch (state.kind) {
      case "idle":
      case "connecting":
      case "closed":
        return { kind: state.kind };
      case "lost":
        return { kind: "lost", reason: state.reason };
      case "ready": {
        const { waiting, blocked } = state.session;
        return blocked === null ? { kind: "ready", waiting } : { kind: "blocked", waiting, reason: blocked };
      }
    }
  }

  close(): Promise<void> {
    if (this.#state.kind === "closed") return this.#state.closing;
    const opening = "opening" in this.#state ? this.#state.opening : null;
    const closing = this.#release(opening);
    this.#state = { kind: "closed", closing };
    return closing;
  }

  async #open(): Promise<ConfirmSession> {
    if (this.#connection === null || this.#connection.lost !== null) {
      this.#connection = await openConnection(this.#source, this.#settings);
    }
    return openSession(this.#connection, this.#settings, (session, reason) => this.#ended(session, reason));
  }

  #opened(opening: Promise<ConfirmSession>, session: ConfirmSession): void {
    if (this.#state.kind !== "connecting" || this.#state.opening !== opening) return;
    this.#state = session.ended ? { kind: "lost", reason: "it was lost at once" } : { kind: "ready", opening, session };
  }

  #failed(opening: Promise<ConfirmSession>, reason: string): void {
    this.#connection?.holdProcess(false);
    if (this.#state.kind === "connecting" && this.#state.opening === opening) this.#state = { kind: "lost", reason };
  }

  #ended(session: ConfirmSession, reason: string): void {
    if (this.#state.kind === "ready" && this.#state.session === session) this.#state = { kind: "lost", reason };
  }

  async #release(opening: Promise<ConfirmSession> | null): Promise<void> {
    const session = await opening?.catch(() => null);
    await session?.close(closedError());
    await this.#connection?.release(this.#settings.connectTimeoutMs);
  }
}

function closedError(): WorkerProgressError {
  return new WorkerProgressError("REPORTER_CLOSED", "Cannot publish: the publisher is closed");
}
