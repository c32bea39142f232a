import type { JobView } from "../domain/job-view.js";
import { reasonOf } from "../domain/reason-of.js";
import type { Log } from "../ports/log.js";
import { eventId, isOlder, type SeenState } from "./job-version.js";

/** What a stream of events is made of. */
export interface JobEventsParts {
  readonly states: AsyncIterator<JobView>;
  /** The state that was read already. */
  readonly first: JobView;
  /** What the client saw last, before it lost the connection. */
  readonly seen: SeenState | null;
  readonly lastEventId: string | null;
  readonly heartbeatMs: number;
  readonly log: Log;
  /** Ends the watching. */
  readonly stop: () => void;
}

const retryMs = 2_000;
const encoder = new TextEncoder();

/**
 * The states of a job as Server-Sent Events. Asks for the next state only when the client has taken the last one, so that
 * a slow client gets the newest, and one that reads nothing costs nothing but its connection.
 */
export class JobEvents {
  readonly #parts: JobEventsParts;
  #seen: SeenState | null;
  #lastId: string | null;
  #asked = false;
  #arrived: IteratorResult<JobView> | "failed" | null;
  #wake: (() => void) | null = null;

  constructor(parts: JobEventsParts) {
    this.#parts = parts;
    this.#seen = parts.seen;
    this.#lastId = parts.lastEventId;
    this.#arrived = { done: false, value: parts.first };
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    controller.enqueue(encoder.encode(`retry: ${retryMs}\n\n`));
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    for (;;) {
      const arrived = await this.#next();
      if (arrived === null) return controller.enqueue(encoder.encode(": alive\n\n"));
      if (arrived === "failed" || arrived.done) {
        this.#parts.stop();
        return controller.close();
      }
      const frame = this.#frame(arrived.value);
      if (frame !== null) return controller.enqueue(frame);
    }
  }

  cancel(): void {
    this.#parts.stop();
  }

  #frame(view: JobView): Uint8Array | null {
    const id = eventId(view);
    if (id === this.#lastId || (this.#seen !== null && isOlder(view, this.#seen))) return null;
    this.#seen = null;
    this.#lastId = id;
    return encoder.encode(`id: ${id}\ndata: ${JSON.stringify(view)}\n\n`);
  }

  /** What arrived, or null when nothing did for the length of a heartbeat. */
  async #next(): Promise<IteratorResult<JobView> | "failed" | null> {
    this.#ask();
    if (this.#arrived === null) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.#parts.heartbeatMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const arrived = this.#arrived;
    this.#arrived = null;
    return arrived;
  }

  // One question at a time, and one handler on it, however many heartbeats pass before the answer.
  #ask(): void {
    if (this.#asked || this.#arrived !== null) return;
    this.#asked = true;
    const answer = (arrived: IteratorResult<JobView> | "failed") => {
      this.#asked = false;
      this.#arrived = arrived;
      this.#wake?.();
    };
    this.#parts.states.next().then(answer, (error: unknown) => {
      this.#parts.log.warn(`Watching job "${this.#parts.first.id}" ended early`, { reason: reasonOf(error) });
      answer("failed");
    });
  }
}
