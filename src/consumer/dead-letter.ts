import { cleanText } from "../domain/text.js";
import type { AmqpDelivery, AmqpRepublishOptions } from "./client-types.js";
import type { DeadLetter } from "./handle-delivery.js";

const longestError = 1_000;

/** The properties of a message that is put aside: its own, and why. */
export function deadLetterProperties(
  { properties }: AmqpDelivery,
  queue: string,
  { reason, attempts, error }: DeadLetter,
): AmqpRepublishOptions {
  const { contentType, contentEncoding, correlationId, messageId, type, appId, replyTo } = properties;
  const { timestamp, priority } = properties;
  // The broker would give a copy to each queue that CC names, which may be the one it came from.
  const { CC: _, ...headers } = properties.headers ?? {};
  return {
    persistent: true,
    mandatory: true,
    headers: {
      ...headers,
      "worker-progress-reason": reason,
      "worker-progress-error": cleanText(error, longestError),
      "worker-progress-attempts": attempts,
      "worker-progress-queue": queue,
    },
    ...only("string", { contentType, contentEncoding, correlationId, messageId, type, appId, replyTo }),
    ...only("number", { timestamp, priority }),
  };
}

function only<K extends string>(kind: "string", values: Readonly<Record<K, unknown>>): { readonly [P in K]?: string };
function only<K extends string>(kind: "number", values: Readonly<Record<K, unknown>>): { readonly [P in K]?: number };
function only(kind: string, values: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => typeof value === kind));
}
