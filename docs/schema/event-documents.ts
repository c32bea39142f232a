import { z } from "zod";
import { cloudEventSchema, jobEventSchema } from "../../src/consumer/index.js";

const schemaId = "job-event.schema.json";

/** The documents for consumers in any language, by file name: made from the schemas that this package checks events with. */
export function eventDocuments(): Readonly<Record<string, string>> {
  return {
    [schemaId]: printed({ $id: schemaId, title: "Job event", ...jsonSchemaOf(jobEventSchema) }),
    "job-event.cloudevents.schema.json": printed({
      $id: "job-event.cloudevents.schema.json",
      title: "Job event in a CloudEvents envelope",
      ...jsonSchemaOf(cloudEventSchema),
    }),
    "job-events.asyncapi.json": printed(asyncApi()),
  };
}

/** What a producer may send: fields that are not named are allowed, so that new ones break nobody. */
function jsonSchemaOf(schema: z.ZodType): object {
  return z.toJSONSchema(schema, { target: "draft-2020-12", io: "input" });
}

function withoutDialect(schema: z.ZodType): object {
  return Object.fromEntries(Object.entries(jsonSchemaOf(schema)).filter(([key]) => key !== "$schema"));
}

/** https://www.asyncapi.com/docs/reference/specification/v3.0.0 and its AMQP bindings 0.3.0 */
function asyncApi(): object {
  const message = (name: string, contentType: string, schema: z.ZodType) => ({
    name,
    title: "A job changed its status, or its progress notably",
    contentType,
    headers: { type: "object" },
    payload: withoutDialect(schema),
    correlationId: { description: "The event_id, the same at every delivery", location: "$message.payload#/event_id" },
    bindings: { amqp: { messageType: "job.status.changed", bindingVersion: "0.3.0" } },
  });
  const exchange = (name: string, type: string) => ({
    amqp: { is: "routingKey", exchange: { name, type, durable: true, autoDelete: false }, bindingVersion: "0.3.0" },
  });
  const messages = {
    jobEvent: { $ref: "#/components/messages/jobEvent" },
    jobCloudEvent: { $ref: "#/components/messages/jobCloudEvent" },
  };
  const cloudEvent = message("jobCloudEvent", "application/cloudevents+json", cloudEventSchema);
  return {
    asyncapi: "3.0.0",
    info: {
      title: "worker-progress job events",
      version: "1.0.0",
      description:
        "Delivered at least once: deduplicate by event_id, which is also the AMQP message_id. First arrivals are in order per job. Names of exchanges and the routing key are the defaults.",
    },
    defaultContentType: "application/json",
    channels: {
      jobEvents: {
        address: "job.status.changed",
        description: "Every event, on a topic exchange: bind a queue with job.status.#",
        messages,
        bindings: exchange("events.jobs", "topic"),
      },
      outbound: {
        address: "job.status.changed",
        description: "Every event, on a fanout exchange for other services: bind a queue with any key",
        messages,
        bindings: exchange("erp.outbound", "fanout"),
      },
    },
    operations: {
      sendJobEvent: {
        action: "send",
        channel: { $ref: "#/channels/jobEvents" },
        summary: "Persistent, with message_id and type, confirmed by the broker",
        bindings: { amqp: { deliveryMode: 2, mandatory: true, bindingVersion: "0.3.0" } },
      },
    },
    components: {
      messages: {
        jobEvent: message("jobEvent", "application/json", jobEventSchema),
        jobCloudEvent: {
          ...cloudEvent,
          correlationId: { ...cloudEvent.correlationId, location: "$message.payload#/id" },
        },
      },
    },
  };
}

function printed(document: object): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}
