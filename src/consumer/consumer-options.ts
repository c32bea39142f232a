import type { BackoffPolicy } from "../domain/backoff.js";
import type { JobEventPayload } from "../domain/event.js";
import { longestDelayMs } from "../domain/longest-delay.js";
import type { Log } from "../ports/log.js";
import type { EventDedupe } from "./event-dedupe.js";
import { memoryMarks } from "./memory-marks.js";

/** What a handler gets beside the event. */
export interface EventContext {
  /** Which try of this delivery it is, 1 or more. */
  readonly attempt: number;
  /** Whether the broker has handed the event over before. */
  readonly redelivered: boolean;
  /** Fires when the event will come again whatever the handler does: the connection is lost, or `stop()` waits no longer. */
  readonly signal: AbortSignal;
}

/** Where a queue gets its events from. */
export interface EventBinding {
  /** @default "erp.outbound" */
  readonly exchange?: string;
  /** @default "" */
  readonly routingKey?: string;
  /** Declares the durable exchange as this; null when it must be there already. @default "fanout" */
  readonly type?: "fanout" | "topic" | null;
}

/** How an event is tried again whose handler throws. */
export interface RetryOptions {
  /** Wait before the second try, in milliseconds, 1 or more. Doubles from try to try. @default 1000 */
  readonly firstMs?: number;
  /** Longest wait, in milliseconds, `firstMs` or more. @default 30000 */
  readonly maxMs?: number;
  /** Tries before the event goes to the dead letters, 1 or more; `Infinity` never gives up. @default 8 */
  readonly maxAttempts?: number;
}

/** Options of `createEventConsumer`. */
export interface EventConsumerOptions<Extra extends object = object> {
  /** The durable queue to read, which is declared, 1–255 bytes. */
  readonly queue: string;
  /** What the queue is bound to. @default one binding with all defaults */
  readonly bind?: readonly EventBinding[];
  /** Has the effect. What it throws is tried again. */
  readonly handler: (event: JobEventPayload, context: EventContext & Extra) => Promise<void>;
  /** Lets each event have its effect once. @default memoryMarks(), which knows this process only */
  readonly dedupe?: EventDedupe<Extra>;
  /** Most events in hand at a time, 1 to 65,535. @default 20 */
  readonly prefetch?: number;
  readonly retry?: RetryOptions;
  /** The durable queue for events that cannot be handled, which is declared. @default the queue's name and ".dead" */
  readonly deadLetter?: string;
  /** @default "quorum" */
  readonly queueType?: "quorum" | "classic";
  /**
   * Whether the queue serves one consumer at a time, the others standing by: a job's events are then handled in their order
   * across processes, too. @default false
   */
  readonly singleActiveConsumer?: boolean;
  /** Milliseconds that connecting and declaring may each take, 1 or more. @default 5000 */
  readonly connectTimeoutMs?: number;
  /** Told of lost connections, failed tries and dead letters. @default console */
  readonly log?: Log;
}

/** The options, checked and filled in. */
export interface ConsumerSettings<Extra extends object> {
  readonly queue: string;
  readonly bind: readonly Required<EventBinding>[];
  readonly handler: (event: JobEventPayload, context: EventContext & Extra) => Promise<void>;
  readonly dedupe: EventDedupe<Extra>;
  readonly prefetch: number;
  readonly retry: BackoffPolicy & { readonly maxAttempts: number };
  readonly deadLetter: string;
  readonly queueType: "quorum" | "classic";
  readonly singleActiveConsumer: boolean;
  readonly connectTimeoutMs: number;
  readonly log: Log;
}

const known = {
  options: [
    ...["queue", "bind", "handler", "dedupe", "prefetch", "retry", "deadLetter", "queueType"],
    ...["singleActiveConsumer", "connectTimeoutMs", "log"],
  ],
  bind: ["exchange", "routingKey", "type"],
  retry: ["firstMs", "maxMs", "maxAttempts"],
};

/**
 * Checks the options and fills in the defaults.
 * @throws TypeError or RangeError naming the option and what is wrong with it
 */
export function consumerSettings<Extra extends object>(options: EventConsumerOptions<Extra>): ConsumerSettings<Extra> {
  checkKeys("", options, known.options);
  const { queue, handler, prefetch = 20, queueType = "quorum", connectTimeoutMs = 5_000, log = console } = options;
  const { bind = [{}], singleActiveConsumer = false } = options;
  checkName("queue", queue);
  const deadLetter = options.deadLetter ?? `${queue}.dead`;
  checkName("deadLetter", deadLetter);
  if (deadLetter === queue) throw new TypeError("Options queue and deadLetter must name two queues");
  if (typeof handler !== "function") throw new TypeError("Option handler must be a function");
  // Without a dedupe the handler gets nothing extra.
  const dedupe = options.dedupe ?? (memoryMarks() as EventDedupe<Extra>);
  if (typeof dedupe?.once !== "function") throw new TypeError("Option dedupe must have a method once");
  if (queueType !== "quorum" && queueType !== "classic") {
    throw new TypeError('Option queueType must be "quorum" or "classic"');
  }
  if (typeof singleActiveConsumer !== "boolean")
    throw new TypeError("Option singleActiveConsumer must be true or false");
  if (!Array.isArray(bind)) throw new TypeError("Option bind must be an array of bindings");
  if (typeof log?.warn !== "function") throw new TypeError("Option log must have a method warn");
  checkWhole("prefetch", prefetch, 1, 65_535);
  checkWhole("connectTimeoutMs", connectTimeoutMs, 1, longestDelayMs);
  return Object.freeze({
    queue,
    bind: bind.map(bindingOf),
    handler,
    dedupe,
    prefetch,
    retry: retryOf(options.retry),
    deadLetter,
    queueType,
    singleActiveConsumer,
    connectTimeoutMs,
    log: unthrowing(log),
  });
}

/** No log ends the reading of events. */
function unthrowing(log: Log): Log {
  return {
    warn(message, details) {
      try {
        log.warn(message, details);
      } catch {}
    },
  };
}

function bindingOf(binding: EventBinding): Required<EventBinding> {
  checkKeys("bind.", binding, known.bind);
  const { exchange = "erp.outbound", routingKey = "", type = "fanout" } = binding;
  checkName("bind.exchange", exchange);
  if (typeof routingKey !== "string" || Buffer.byteLength(routingKey) > 255) {
    throw new TypeError("Option bind.routingKey must be a string of 255 bytes at most");
  }
  if (type !== "fanout" && type !== "topic" && type !== null) {
    throw new TypeError('Option bind.type must be "fanout", "topic" or null');
  }
  return { exchange, routingKey, type };
}

function retryOf(retry: RetryOptions = {}): ConsumerSettings<object>["retry"] {
  checkKeys("retry.", retry, known.retry);
  const { firstMs = 1_000, maxMs = Math.max(30_000, firstMs), maxAttempts = 8 } = retry;
  checkWhole("retry.firstMs", firstMs, 1, longestDelayMs);
  checkWhole("retry.maxMs", maxMs, firstMs, longestDelayMs);
  if (maxAttempts !== Number.POSITIVE_INFINITY) checkWhole("retry.maxAttempts", maxAttempts, 1, longestDelayMs);
  return { firstMs, maxMs, maxAttempts };
}

function checkKeys(prefix: string, options: object, keys: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`${prefix === "" ? "The options" : `Option ${prefix.slice(0, -1)}`} must be an object`);
  }
  const unknown = Object.keys(options).find((key) => !keys.includes(key));
  if (unknown !== undefined) {
    throw new TypeError(`Unknown option "${prefix}${unknown}", known are ${keys.join(", ")}`);
  }
}

function checkName(option: string, name: unknown): asserts name is string {
  if (typeof name !== "string" || !name.isWellFormed()) throw new TypeError(`Option ${option} must be a string`);
  const bytes = Buffer.byteLength(name);
  if (bytes < 1 || bytes > 255) throw new RangeError(`Option ${option} must have 1 to 255 bytes, it has ${bytes}`);
}

function checkWhole(option: string, value: unknown, least: number, most: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return;
  throw new RangeError(`Option ${option} must be a whole number from ${least} to ${most}`);
}
