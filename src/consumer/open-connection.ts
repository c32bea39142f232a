import { WorkerProgressError } from "../domain/errors.js";
import { reasonOf } from "../domain/reason-of.js";
import { type ClassifiedSource, isConsumerModel } from "./amqp-source.js";
import type { AmqpConsumerModel } from "./client-types.js";
import { ConsumerConnection, destroySocket } from "./consumer-connection.js";
import { within } from "./within.js";

/** Seconds; a peer that is silent for twice as long is taken for dead. A `heartbeat` in the URL wins. */
const heartbeatSeconds = 30;

/**
 * Opens a connection, or takes the one that was given.
 * @throws {MISSING_DEPENDENCY} when a URL is to be opened and amqplib is not installed
 */
export async function openConnection(source: ClassifiedSource, timeoutMs: number): Promise<ConsumerConnection> {
  switch (source.kind) {
    case "given":
      return new ConsumerConnection(source.model, false);
    case "factory": {
      const model = await opened(source.open, timeoutMs);
      if (isConsumerModel(model)) return new ConsumerConnection(model, true);
      throw new TypeError("The factory of RabbitMQ connections must answer a promise of an amqplib ChannelModel");
    }
    case "url": {
      const { connect } = await importClient();
      const options = { timeout: timeoutMs, noDelay: true, keepAlive: true, keepAliveDelay: 10_000 };
      const model = await opened(() => connect(withHeartbeat(source.url), options), timeoutMs).catch(explain);
      return new ConsumerConnection(model, true);
    }
  }
}

/** amqplib says of a refused vhost which frame it did not expect. */
function explain(cause: unknown): never {
  if (!/^Expected ConnectionOpenOk; got <ConnectionClose\b/.test(reasonOf(cause))) throw cause;
  throw new Error("the vhost does not exist, or the user has no permission for it", { cause });
}

function opened(open: () => Promise<AmqpConsumerModel>, timeoutMs: number): Promise<AmqpConsumerModel> {
  return within((async () => open())(), timeoutMs, (late) => {
    if (!isConsumerModel(late)) return;
    late.on("error", () => {});
    destroySocket(late);
  });
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

function withHeartbeat(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has("heartbeat")) parsed.searchParams.set("heartbeat", String(heartbeatSeconds));
  return parsed.href;
}
