/** An event on its way to a consumer: two queues handle the same event once each. */
export interface EventKey {
  readonly queue: string;
  readonly eventId: string;
}

/** "known": the effect happened before, so it did not happen now. */
export type EffectOutcome = "done" | "known";

/**
 * Lets the effect of an event happen once, whoever else handles the same event at the same time. `Extra` is what the
 * handler gets beside the event.
 */
export interface EventDedupe<Extra extends object = object> {
  /**
   * Runs `effect` unless it is known to have happened. Rejects with what the effect rejected with, which leaves the event
   * unknown. Waits while another handles the event, and may give up when `signal` fires.
   */
  once(key: EventKey, effect: (extra: Extra) => Promise<void>, signal: AbortSignal): Promise<EffectOutcome>;
}
