import type { JobEvent } from "../../domain/event.js";
import type { AmqpPublishOptions } from "./client-types.js";
import type { EventFormat } from "./options.js";

/** An event as it goes over the wire. */
export interface EventMessage {
  readonly content: Buffer;
  readonly properties: AmqpPublishOptions;
}

/** The message of an event: the same bytes and the same id at every delivery. */
export function eventMessage({ id, jobId, payload }: JobEvent, format: EventFormat): EventMessage {
  const plain = format === "plain";
  const body = plain ? payload : cloudEvent(id, jobId, payload, format.cloudEvents.source);
  return {
    content: Buffer.from(JSON.stringify(body)),
    properties: {
      persistent: true,
      mandatory: true,
      contentType: plain ? "application/json" : "application/cloudevents+json",
      messageId: id,
      type: payload.event_type,
      timestamp: Math.floor(Date.parse(payload.timestamp) / 1000),
    },
  };
}

/** CloudEvents 1.0, structured mode: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md */
function cloudEvent(id: string, jobId: string, payload: JobEvent["payload"], source: string) {
  return {
    specversion: "1.0",
    id,
    source,
    type: payload.event_type,
    subject: jobId,
    time: payload.timestamp,
    datacontenttype: "application/json",
    data: payload,
  };
}
