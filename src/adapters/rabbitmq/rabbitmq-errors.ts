import { WorkerProgressError } from "../../domain/errors.js";
import { reasonOf } from "../../domain/reason-of.js";
import { safeCause } from "./safe-cause.js";

/** Where a connection leads, for messages: everything of a URL but its password. */
export interface Place {
  readonly address: string;
  readonly user: string;
  readonly vhost: string;
}

/** What may be said of a URL. */
export function placeOf(url: string): Place {
  const { host, username, pathname } = new URL(url);
  return {
    address: host || "localhost",
    user: decoded(username) || "guest",
    vhost: decoded(pathname.slice(1)) || "/",
  };
}

/** The publisher is out of reach, and trying again may help. */
export function unavailable(message: string, cause?: unknown): WorkerProgressError {
  return new WorkerProgressError("PUBLISHER_UNAVAILABLE", message, {
    cause: cause === undefined ? undefined : safeCause(cause),
  });
}

/** Why no connection came about. amqplib tells a refused login and a refused vhost apart only by their texts. */
export function connectError(error: unknown, place: Place | null): WorkerProgressError {
  const reason = reasonOf(error);
  const broker = place === null ? "RabbitMQ" : `RabbitMQ at "${place.address}"`;
  if (/ACCESS[-_]REFUSED/.test(reason)) {
    const user = place === null ? "the user" : `user "${place.user}"`;
    return unavailable(`${broker} refused the login of ${user}: check its name and password`, error);
  }
  if (/^Expected ConnectionOpenOk; got <ConnectionClose\b/.test(reason)) {
    const [vhost, user] =
      place === null ? ["the vhost", "the user"] : [`vhost "${place.vhost}"`, `user "${place.user}"`];
    return unavailable(`${broker} refused ${vhost}: it does not exist or ${user} has no permission for it`, error);
  }
  return unavailable(`Cannot connect to ${broker}: ${reason}`, error);
}

/** Why an exchange could not be declared or bound. */
export function topologyError(error: unknown, option: string, exchange: string): WorkerProgressError {
  const reason = reasonOf(error);
  const code = (error as { code?: unknown } | null)?.code;
  if (code === preconditionFailed) {
    const message = `Cannot use exchange "${exchange}": it exists with other properties, delete it or name another one in option ${option} (${reason})`;
    return new WorkerProgressError("TOPOLOGY_MISMATCH", message, { cause: safeCause(error) });
  }
  if (code === accessRefused) {
    return unavailable(
      `Cannot declare exchange "${exchange}": give the user permission to configure, write and read it`,
      error,
    );
  }
  return unavailable(`Cannot declare exchange "${exchange}": ${reason}`, error);
}

/** What happened to a connection or its channel. One that was given cannot be opened again, once it is lost itself. */
export function lostError(
  connection: { readonly owned: boolean; readonly lost: string | null },
  reason: string,
  cause?: unknown,
): WorkerProgressError {
  return unavailable(
    connection.owned || connection.lost === null
      ? `Lost RabbitMQ, publish again: ${reason}`
      : `The given RabbitMQ connection is closed and cannot be opened again, pass a URL or a factory instead: ${reason}`,
    cause,
  );
}

/** Whether amqplib refuses because the connection is closed already. */
export function isClosedConnection(error: unknown): boolean {
  return error instanceof Error && error.name === "IllegalOperationError";
}

const accessRefused = 403;
const preconditionFailed = 406;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
