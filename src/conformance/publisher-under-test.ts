import type { JobEventPayload } from "../domain/event.js";
import type { PublisherAdapter } from "../ports/publisher.js";

/** A publisher of its own for one case: nobody listens to it, and nothing of another case arrives there. */
export interface PublisherUnderTest {
  readonly publisher: PublisherAdapter;
  /** From when it resolves on, somebody listens. Called after the topology was declared. */
  listen(): Promise<void>;
  /** What arrived, in order of arrival, once there are `count` events; rejects when they do not come. */
  received(count: number): Promise<readonly ReceivedEvent[]>;
  /** Closes and removes everything. */
  dispose(): Promise<void>;
}

/** An event as a listener sees it. */
export interface ReceivedEvent {
  /** What a consumer deduplicates by. */
  readonly id: string;
  readonly payload: JobEventPayload;
}

/** One promise of the port and the body that holds a publisher to it. */
export interface PublisherCase {
  readonly name: string;
  readonly body: (subject: PublisherUnderTest) => Promise<void>;
}
