import { z } from "zod";
import { eventType } from "../domain/event.js";
import { jobStatuses } from "../domain/job-status.js";

const percent = z.number().min(0).max(100);
const status = z.enum(jobStatuses);
const text = z.string();

/** Checks the payload of an event. Fields it does not know are let through and left out, so that new ones break nobody. */
export const jobEventSchema = z
  .object({
    event_id: z.uuid().describe("The same at every delivery of this event: what consumers deduplicate by"),
    event_type: z.literal(eventType),
    timestamp: z.iso.datetime().describe("When the change was stored, in UTC"),
    job_id: z
      .union([z.int(), text.min(1)])
      .describe("A number where the jobs' id column is numeric and JSON can hold it"),
    status: status.describe("The job's status since this change"),
    progress: percent.describe("The job's progress since this change, in percent"),
    attempt: z.int().min(0).describe("Which attempt at the job this is; 0 before the first one"),
    previous_status: status,
    previous_progress: percent,
    step: text.nullable().describe("What the job is at"),
    message: text.nullable().describe("The same for people"),
    error_code: text.exactOptional().describe("Why the job failed, for programs"),
    error_message: text.exactOptional().describe("Why the job failed, for people"),
  })
  .readonly();
