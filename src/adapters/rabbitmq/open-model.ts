import { WorkerProgressError } from "../../domain/errors.js";
import { destroySocket } from "./client-internals.js";
import type { AmqpChannelModel } from "./client-types.js";
import type { PublisherSettings } from "./options.js";
import { connectError, type Place, placeOf, unavailable } from "./rabbitmq-errors.js";
import { type AmqpConnectionFactory, isChannelModel } from "./rabbitmq-source.js";
import { within } from "./within.js";

/**
 * Opens a connection from a URL.
 * @throws {MISSING_DEPENDENCY} when amqplib is not installed
 * @throws {PUBLISHER_UNAVAILABLE} when no connection comes about in time, saying why without the password
 */
export async function openUrl(url: string, settings: PublisherSettings): Promise<AmqpChannelModel> {
  const { connect } = await importClient();
  const { connectTimeoutMs, heartbeatSeconds } = settings;
  const options = { timeout: connectTimeoutMs, noDelay: true, keepAlive: true, keepAliveDelay: 10_000 };
  return opened(() => connect(withHeartbeat(url, heartbeatSeconds), options), connectTimeoutMs, placeOf(url));
}

/** Opens a connection with the caller's factory. Rejects as `openUrl` does. */
export async function openWith(factory: AmqpConnectionFactory, settings: PublisherSettings): Promise<AmqpChannelModel> {
  const model = await opened(factory, settings.connectTimeoutMs, null);
  if (isChannelModel(model)) return model;
  throw new TypeError("The factory of RabbitMQ connections must answer a promise of an amqplib ChannelModel");
}

async function opened(
  open: () => Promise<AmqpChannelModel>,
  timeoutMs: number,
  place: Place | null,
): Promise<AmqpChannelModel> {
  const broker = place === null ? "RabbitMQ" : `RabbitMQ at "${place.address}"`;
  const late = () => unavailable(`Cannot connect to ${broker}: no answer within ${timeoutMs} ms`);
  const discard = (model: AmqpChannelModel) => {
    if (!isChannelModel(model)) return;
    model.on("error", () => {});
    destroySocket(model);
  };
  try {
    return await within((async () => open())(), timeoutMs, late, discard);
  } catch (error) {
    throw error instanceof WorkerProgressError ? error : connectError(error, place);
  }
}

async function importClient(): Promise<typeof import("amqplib")> {
  try {
    return await import("amqplib");
  } catch (cause) {
    const code = (cause as { code?: unknown } | null)?.code;
    if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") throw cause;
    const message = 'Cannot connect to RabbitMQ: package "amqplib" is not installed, run npm install amqplib';
    throw new WorkerProgressError("MISSING_DEPENDENCY", message, { cause });
  }
}

function withHeartbeat(url: string, seconds: number): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has("heartbeat")) parsed.searchParams.set("heartbeat", String(seconds));
  return parsed.href;
}
