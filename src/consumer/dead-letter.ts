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
  const { contentType, contentEncoding, correlationId, messageId, timestamp, type } = properties;
  return {
    persistent: true,
    mandatory: true,
    headers: {
      ...properties.headers,
      "worker-progress-reason": reason,
      "worker-progress-error": cleanText(error, longestError),
      "worker-progress-attempts": attempts,
      "worker-progress-queue": queue,
    },
    ...textual({ contentType, contentEncoding, correlationId, messageId, type }),
    ...(typeof timestamp === "number" ? { timestamp } : {}),
  };
}

function textual<K extends string>(values: Readonly<Record<K, unknown>>): { readonly [P in K]?: string } {
  const known = Object.entries(values).filter(([, value]) => typeof value === "string");
  return Object.fromEntries(known) as { readonly [P in K]?: string };
}
