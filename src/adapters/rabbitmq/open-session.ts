import { reasonOf } from "../../domain/reason-of.js";
import type { BrokerConnection } from "./broker-connection.js";
import { isBlocked } from "./client-internals.js";
import type { AmqpConfirmChannel } from "./client-types.js";
import { ConfirmSession } from "./confirm-session.js";
import type { PublisherSettings } from "./options.js";
import { isClosedConnection, lostError, unavailable } from "./rabbitmq-errors.js";
import { declareTopology } from "./topology.js";
import { within } from "./within.js";

/**
 * Opens a confirm channel and declares the topology on it.
 * @throws {TOPOLOGY_MISMATCH} when an exchange exists with another type
 * @throws {PUBLISHER_UNAVAILABLE} when the connection does not serve
 */
export async function openSession(
  connection: BrokerConnection,
  settings: PublisherSettings,
  onEnd: (session: ConfirmSession, reason: string) => void,
): Promise<ConfirmSession> {
  // On a blocked connection a request waits unanswered, and each further try would leave one more behind.
  if (isBlocked(connection.model)) throw unavailable("RabbitMQ has blocked the connection: publish again later");
  const channel = await openChannel(connection, settings);
  const session: ConfirmSession = new ConfirmSession(connection, channel, settings, (reason) => onEnd(session, reason));
  try {
    await inTime(connection, settings, declareTopology(channel, settings));
    return session;
  } catch (error) {
    await session.close(unavailable("The topology was not declared"));
    throw connection.lost === null ? error : lostError(connection, connection.lost, error);
  }
}

async function openChannel(connection: BrokerConnection, settings: PublisherSettings): Promise<AmqpConfirmChannel> {
  const discard = (channel: AmqpConfirmChannel) => {
    channel.on("error", () => {});
    channel.close().catch(() => {});
  };
  const { model } = connection;
  try {
    return await inTime(connection, settings, (async () => model.createConfirmChannel())(), discard);
  } catch (error) {
    const closed = isClosedConnection(error) ? reasonOf(error) : null;
    const lost = connection.lost ?? closed;
    if (lost !== null) throw lostError({ owned: connection.owned, lost }, lost, error);
    throw unavailable(`Cannot open a channel to RabbitMQ: ${reasonOf(error)}`, error);
  }
}

function inTime<T>(
  connection: BrokerConnection,
  { connectTimeoutMs }: PublisherSettings,
  work: Promise<T>,
  discard?: (value: T) => void,
): Promise<T> {
  const late = () => {
    const reason = `no answer came within ${connectTimeoutMs} ms`;
    connection.cut(reason);
    return unavailable(`Cannot set RabbitMQ up: ${reason}`);
  };
  return within(work, connectTimeoutMs, late, discard);
}
