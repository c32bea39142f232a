import { z } from "zod";
import { jobStatuses } from "../domain/job-status.js";
import type { JobView } from "../domain/job-view.js";
import type { JsonValue } from "../domain/json.js";
import { problemCodes } from "./problem.js";

const instant = () => z.iso.datetime().nullable();
const json = () => z.custom<JsonValue>((value) => value !== undefined);

/** The JSON of a job. */
export const jobSchema: z.ZodType<JobView> = z.object({
  id: z.union([z.int(), z.string()]).meta({ description: "A number where the id column is numeric" }),
  type: z.string().nullable(),
  status: z.enum(jobStatuses),
  progress: z.object({
    percent: z.number().min(0).max(100),
    step: z.string().nullable(),
    message: z.string().nullable(),
    updated_at: instant(),
  }),
  attempts: z.int().min(0).meta({ description: "How many attempts have begun" }),
  cancel_requested: z.boolean(),
  artefacts: z.array(json()),
  queue_position: z.number().nullable(),
  started_at: instant().meta({ description: "When the job first ran" }),
  finished_at: instant(),
  output: json().meta({ description: "Any JSON" }),
  error_code: z.string().nullable(),
  error_message: z.string().nullable(),
  rate: z.number().exactOptional().meta({ description: "Points per second, while it runs and is known" }),
  eta: z.number().exactOptional().meta({ description: "Seconds left; absent when it would be a guess" }),
});

/** The JSON of an error, RFC 9457. */
export const problemSchema = z.object({
  type: z.string().meta({ description: "A URI that names the kind of problem" }),
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string(),
  code: z.enum(problemCodes).meta({ description: "What programs test" }),
});

/** The body that a cancellation may have. */
export const cancelRequestSchema = z.strictObject({
  reason: z.string().optional().meta({ description: "Told to the worker" }),
});
