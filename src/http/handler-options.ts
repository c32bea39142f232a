import { z } from "zod";
import { longestDelayMs } from "../domain/longest-delay.js";
import type { Log } from "../ports/log.js";
import type { Authorize } from "./authorization.js";
import type { CorsOptions } from "./cors.js";
import type { RateLimitOptions, RateLimitRedis } from "./rate-limit.js";

/** Options of `createJobHandler`. An unknown or wrong one throws at once. */
export interface JobHandlerOptions {
  /** Who may do what. There is no default: everybody's jobs are everybody's only where you say so. */
  readonly authorize: Authorize;
  /** The path of the jobs as the server sees it, wherever the handler is mounted. @default "/api/v1/jobs" */
  readonly basePath?: string;
  /** How many requests a caller may make. @default any number */
  readonly rateLimit?: RateLimitOptions;
  /** Which pages of other origins may call. @default none */
  readonly cors?: CorsOptions;
  /** How often a silent stream of events gives a sign of life, in milliseconds, 1 or more. @default 15000 */
  readonly heartbeatMs?: number;
  /** How long `authorize` may take before the answer is no, in milliseconds, 1 or more. @default 5000 */
  readonly authorizeTimeoutMs?: number;
  /** Where warnings go. @default console */
  readonly log?: Log;
}

const milliseconds = () => z.int().min(1).max(longestDelayMs);
const callable = <T>() => z.custom<T>((value) => typeof value === "function", "must be a function");

const schema = z.strictObject({
  authorize: callable<Authorize>(),
  basePath: z
    .string()
    .regex(/^(\/[^/?#\s]+)*\/?$/, 'must be a path such as "/api/v1/jobs"')
    .default("/api/v1/jobs")
    // As the paths of requests are written: percent-encoded, and without dots.
    .transform((path) => new URL(`http://localhost${path}`).pathname.replace(/\/$/, "")),
  rateLimit: z
    .strictObject({
      points: z.int().min(1),
      durationSeconds: z.int().min(1).max(2_147_483),
      key: callable<RateLimitOptions["key"]>(),
      redis: z
        .custom<RateLimitRedis>(
          (value) => typeof (value as RateLimitRedis | null)?.defineCommand === "function",
          "must be an ioredis client",
        )
        .exactOptional(),
      keyPrefix: z.string().min(1).exactOptional(),
      timeoutMs: milliseconds().exactOptional(),
    })
    .optional(),
  cors: z
    .strictObject({
      origins: z.union([
        z.literal("*"),
        z.array(z.string().regex(/^[a-z][a-z\d+.-]*:\/\/[^/?#\sA-Z]+$/, 'must be as in "https://app.example.com"')),
      ]),
      credentials: z.boolean().exactOptional(),
      allowedHeaders: z.array(z.string()).exactOptional(),
      maxAgeSeconds: z.int().min(0).exactOptional(),
    })
    .refine(({ origins, credentials }) => !(origins === "*" && credentials), 'credentials need origins other than "*"')
    .optional(),
  heartbeatMs: milliseconds().default(15_000),
  authorizeTimeoutMs: milliseconds().default(5_000),
  log: z
    .custom<Log>((value) => typeof (value as Log | null)?.warn === "function", "must have a method warn")
    .default(() => console),
});

/** Options with all defaults filled in. */
export type HandlerSettings = Readonly<z.output<typeof schema>>;

/** Checks options and fills in the defaults. @throws TypeError naming each option that is missing, unknown or wrong */
export function parseHandlerOptions(options: JobHandlerOptions): HandlerSettings {
  const parsed = schema.safeParse(options);
  if (parsed.success) return Object.freeze(parsed.data);
  const problems = parsed.error.issues.map(({ path, message }) => {
    return path.length > 0 ? `option ${path.join(".")}: ${message}` : message;
  });
  throw new TypeError(`Cannot create a job handler: ${problems.join("; ")}`);
}
