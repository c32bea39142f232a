import type { z } from "zod";
import type { JobEventPayload } from "../domain/event.js";
import type { AmqpDelivery } from "./client-types.js";
import { cloudEventSchema, cloudEventsType } from "./cloud-event-schema.js";
import { jobEventSchema } from "./job-event-schema.js";

/** The event of a message, or what keeps the message from being one. */
export type ReadEvent =
  | { readonly ok: true; readonly event: JobEventPayload }
  | { readonly ok: false; readonly problem: string };

/** An event has a few kB. What is far larger is none, and parsing it would hold up the others. */
const mostBytes = 1_048_576;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Reads a message as plain JSON or, by its content type, as a CloudEvents envelope. */
export function readEvent({ content, properties }: Pick<AmqpDelivery, "content" | "properties">): ReadEvent {
  const type = typeof properties.contentType === "string" ? properties.contentType : "";
  if (content.byteLength > mostBytes) {
    return { ok: false, problem: `it has ${content.byteLength} bytes, an event has ${mostBytes} at most` };
  }
  let body: unknown;
  try {
    body = JSON.parse(utf8.decode(content));
  } catch {
    return { ok: false, problem: "it is not JSON" };
  }
  if (!isCloudEvent(type)) return checked(jobEventSchema.safeParse(body));
  const envelope = cloudEventSchema.safeParse(body);
  return envelope.success ? { ok: true, event: envelope.data.data } : checked(envelope);
}

function isCloudEvent(contentType: string): boolean {
  return contentType.split(";", 1)[0]?.trim().toLowerCase() === cloudEventsType;
}

function checked(result: z.ZodSafeParseResult<JobEventPayload> | z.ZodSafeParseError<unknown>): ReadEvent {
  if (result.success) return { ok: true, event: result.data };
  const problems = result.error.issues.map(({ path, message }) => `${path.join(".") || "the body"}: ${message}`);
  return { ok: false, problem: problems.join("; ") };
}
