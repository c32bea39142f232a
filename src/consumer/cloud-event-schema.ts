import { z } from "zod";
import { eventType } from "../domain/event.js";
import { jobEventSchema } from "./job-event-schema.js";

/** The content type of an event in a CloudEvents envelope. */
export const cloudEventsType = "application/cloudevents+json";

/** An event in a CloudEvents 1.0 envelope, structured mode. Its `id` is the event's. */
export const cloudEventSchema = z
  .object({
    specversion: z.literal("1.0"),
    id: z.uuid(),
    source: z.string().min(1).describe("A URI reference that says who reports"),
    type: z.literal(eventType),
    subject: z.string().min(1).exactOptional().describe("The job's id"),
    time: z.iso.datetime().exactOptional(),
    datacontenttype: z.literal("application/json").exactOptional(),
    data: jobEventSchema,
  })
  .refine(({ id, data }) => id === data.event_id, { path: ["id"], error: "must equal data.event_id" })
  .readonly();
