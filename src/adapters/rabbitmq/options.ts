import { longestDelayMs } from "../../domain/longest-delay.js";
import type { Log } from "../../ports/log.js";

/** How an event looks on the wire: the payload itself, or a CloudEvents 1.0 envelope in structured mode around it. */
export type EventFormat = "plain" | { readonly cloudEvents: { readonly source: string } };

/** Options of `rabbitmqPublisher`. */
export interface RabbitmqPublisherOptions {
  /** The durable topic exchange that events are published to, 1–255 bytes. @default "events.jobs" */
  readonly eventsExchange?: string;
  /** The durable fanout exchange that consumers bind their queues to, 1–255 bytes. @default "erp.outbound" */
  readonly outboundExchange?: string;
  /** The routing key of every event, 1–255 bytes. `bindingKey` must match it. @default "job.status.changed" */
  readonly routingKey?: string;
  /** Which events of the topic exchange reach the fanout exchange, 1–255 bytes. @default "job.status.#" */
  readonly bindingKey?: string;
  /** The payload as it is, or in a CloudEvents envelope whose `source` is a URI reference. @default "plain" */
  readonly format?: EventFormat;
  /**
   * Milliseconds the broker may confirm nothing while events wait for it, 1 or more. Does not run while the broker has
   * blocked the connection. Also how long `close()` waits for confirms. @default 10000
   */
  readonly confirmTimeoutMs?: number;
  /** Milliseconds that connecting, and declaring the topology, may each take, 1 or more. @default 5000 */
  readonly connectTimeoutMs?: number;
  /**
   * Seconds between heartbeats, 0–65535; 0 sends none. A process whose event loop is blocked for twice as long loses its
   * connection. Only on connections opened from a URL, and a `heartbeat` in the URL wins. @default 60
   */
  readonly heartbeatSeconds?: number;
  /** Told when the broker blocks the connection and when it takes events again. @default console */
  readonly log?: Log;
}

/** The options, checked and filled in. */
export type PublisherSettings = Required<RabbitmqPublisherOptions>;

const defaults: PublisherSettings = {
  eventsExchange: "events.jobs",
  outboundExchange: "erp.outbound",
  routingKey: "job.status.changed",
  bindingKey: "job.status.#",
  format: "plain",
  confirmTimeoutMs: 10_000,
  connectTimeoutMs: 5_000,
  heartbeatSeconds: 60,
  log: console,
};

const longestNameBytes = 255;
const longestHeartbeatSeconds = 65_535;

/**
 * Checks the options and fills in the defaults.
 * @throws TypeError or RangeError naming the option and what is wrong with it
 */
export function publisherSettings(options: RabbitmqPublisherOptions = {}): PublisherSettings {
  const known = Object.keys(defaults);
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new TypeError(`Unknown option "${unknown}", known are ${known.join(", ")}`);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const settings: PublisherSettings = { ...defaults, ...Object.fromEntries(given) };
  for (const name of ["eventsExchange", "outboundExchange"] as const) checkExchange(name, settings[name]);
  if (settings.eventsExchange === settings.outboundExchange) {
    throw new TypeError("Options eventsExchange and outboundExchange must name two exchanges");
  }
  for (const name of ["routingKey", "bindingKey"] as const) checkName(name, settings[name]);
  checkFormat(settings.format);
  checkWhole("confirmTimeoutMs", settings.confirmTimeoutMs, "milliseconds", 1, longestDelayMs);
  checkWhole("connectTimeoutMs", settings.connectTimeoutMs, "milliseconds", 1, longestDelayMs);
  checkWhole("heartbeatSeconds", settings.heartbeatSeconds, "seconds", 0, longestHeartbeatSeconds);
  if (typeof settings.log?.warn !== "function") throw new TypeError("Option log must have a method warn");
  return Object.freeze(settings);
}

function checkExchange(option: string, name: unknown): void {
  checkName(option, name);
  if (name.startsWith("amq.")) throw new TypeError(`Option ${option} must not begin with "amq.": RabbitMQ reserves it`);
}

function checkName(option: string, name: unknown): asserts name is string {
  if (typeof name !== "string" || !name.isWellFormed()) throw new TypeError(`Option ${option} must be a string`);
  const bytes = Buffer.byteLength(name);
  if (bytes >= 1 && bytes <= longestNameBytes) return;
  throw new RangeError(`Option ${option} must have 1 to ${longestNameBytes} bytes, it has ${bytes}`);
}

function checkFormat(format: unknown): void {
  if (format === "plain") return;
  const source = (format as { cloudEvents?: { source?: unknown } } | null)?.cloudEvents?.source;
  if (typeof source === "string" && source !== "") return;
  throw new TypeError('Option format must be "plain" or { cloudEvents: { source } } with a URI reference as source');
}

function checkWhole(option: string, value: unknown, unit: string, least: number, most: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return;
  throw new RangeError(`Option ${option} must be a whole number of ${unit} from ${least} to ${most}`);
}
