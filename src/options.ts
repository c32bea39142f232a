import { z } from "zod";
import type { PostgresStorageOptions } from "./adapters/postgres/index.js";
import type { RabbitmqPublisherOptions } from "./adapters/rabbitmq/index.js";
import type { RedisOptions } from "./adapters/redis/index.js";
import { defaultLimits, type Limits } from "./domain/limits.js";
import { longestDelayMs } from "./domain/longest-delay.js";
import type { ReadModelResolver } from "./engine/read-model-resolver.js";
import type { Log } from "./ports/log.js";

/** Options of `createProgressReporter`. All have defaults; an unknown or wrong one throws at once. */
export interface ReporterOptions {
  /** Length of the window in which a job is written at most once, in milliseconds, 1 to 3,600,000. @default 2000 */
  readonly windowMs?: number;
  /**
   * How events reach the publisher: through a table that the change is committed with ("outbox"), or from memory after the
   * commit ("direct", which loses what a dying process held). @default "outbox"
   */
  readonly delivery?: "outbox" | "direct";
  /** What happens to an event that no queue is bound for. Direct delivery always drops. @default "drop" */
  readonly unroutable?: "drop" | "keep";
  /** Most jobs in one statement, 1 to 5,000. @default 200 */
  readonly batchSize?: number;
  /** Most statements at a time, 1 to 64. @default 2 */
  readonly concurrency?: number;
  /**
   * How long one storage call may take, in milliseconds. A report that waits 0.1 s longer for its write is answered
   * "coalesced" and written in its turn. @default 5000
   */
  readonly storageTimeoutMs?: number;
  /** How long a lifecycle call is tried while the storage is away before it rejects, in milliseconds. @default 10000 */
  readonly changeTimeoutMs?: number;
  /** How long `close()` writes and publishes what is open, in milliseconds. @default 10000 */
  readonly closeTimeoutMs?: number;
  /** Most jobs whose progress is kept while the storage is away, 1 or more. @default 10000 */
  readonly maxDeferredJobs?: number;
  /** How long a job is remembered that nobody reports on, in milliseconds. @default 600000 */
  readonly idleMs?: number;
  /** Most idle jobs that are remembered, 1 or more. @default 100000 */
  readonly maxIdleJobs?: number;
  /**
   * How long a job that runs here may go without a write before it gets a sign of life (its `updated_at`), in milliseconds, 10
   * or more; false for never. @default 30000
   */
  readonly heartbeatMs?: number | false;
  /** Least time between two live updates of a job, in milliseconds, 10 or more. @default 200 */
  readonly liveMs?: number;
  /** How often watched jobs are read where live updates do not reach other processes, in milliseconds, 10 or more. @default 1000 */
  readonly watchPollMs?: number;
  /** Adds `artefacts` and `queue_position` to what `getJob` and `watch` answer. */
  readonly resolve?: ReadModelResolver;
  /**
   * Names whose values do not leave in events, whatever their case: a field (step, message, error_code, error_message) as a whole,
   * and in texts what follows as `name=value`, `name: value` or `"name": "value"`. Your own table, live updates and the read model
   * are not touched. Up to 100 names of 1 to 100 characters. @default none
   */
  readonly redact?: readonly string[];
  /** How much text and JSON a job may carry. */
  readonly limits?: Partial<Limits>;
  /** How events leave the outbox. */
  readonly relay?: {
    /** How long a relay that died blocks the others, in milliseconds, 1,000 or more. @default 10000 */
    readonly leaseMs?: number;
    /** How often events that others left behind are looked for, in milliseconds, 10 or more. @default 1000 */
    readonly pollMs?: number;
    /** Most events in one claim, 1 to 5,000. @default 500 */
    readonly batchSize?: number;
  };
  /** Where warnings go. @default console */
  readonly log?: Log;
  /** Options of the PostgreSQL adapter, when `db` is not an adapter: your table, schema, outbox table. */
  readonly postgres?: PostgresStorageOptions;
  /** Options of the Redis adapters, when `redis` is not an adapter. */
  readonly redis?: RedisOptions;
  /** Options of the RabbitMQ adapter, when `amqp` is not an adapter: exchanges, routing key, CloudEvents. */
  readonly rabbitmq?: RabbitmqPublisherOptions;
}

const milliseconds = (least: number, most = longestDelayMs) => z.int().min(least).max(most);
const adapterOptions = <T extends object>() => z.custom<T>((value) => typeof value === "object" && value !== null);

const schema = z.strictObject({
  windowMs: milliseconds(1, 3_600_000).default(2_000),
  delivery: z.enum(["outbox", "direct"]).default("outbox"),
  unroutable: z.enum(["drop", "keep"]).default("drop"),
  batchSize: z.int().min(1).max(5_000).default(200),
  concurrency: z.int().min(1).max(64).default(2),
  storageTimeoutMs: milliseconds(1).default(5_000),
  changeTimeoutMs: milliseconds(0).default(10_000),
  closeTimeoutMs: milliseconds(0).default(10_000),
  maxDeferredJobs: z.int().min(1).default(10_000),
  idleMs: milliseconds(1).default(600_000),
  maxIdleJobs: z.int().min(1).default(100_000),
  heartbeatMs: z.union([z.literal(false), milliseconds(10)]).default(30_000),
  liveMs: milliseconds(10).default(200),
  watchPollMs: milliseconds(10).default(1_000),
  resolve: z
    .custom<ReadModelResolver>((value) => typeof value === "function", "must be a function")
    .default(() => () => ({})),
  redact: z.array(z.string().min(1).max(100)).max(100).readonly().default([]),
  limits: z
    .strictObject({
      messageLength: z.int().min(1).default(defaultLimits.messageLength),
      labelLength: z.int().min(1).default(defaultLimits.labelLength),
      metricsBytes: z.int().min(2).default(defaultLimits.metricsBytes),
      outputBytes: z.int().min(2).default(defaultLimits.outputBytes),
    })
    .prefault({}),
  relay: z
    .strictObject({
      leaseMs: milliseconds(1_000).default(10_000),
      pollMs: milliseconds(10).default(1_000),
      batchSize: z.int().min(1).max(5_000).default(500),
    })
    .prefault({}),
  log: z
    .custom<Log>((value) => typeof (value as Log | null)?.warn === "function", "must have a method warn")
    .default(() => console),
  postgres: adapterOptions<PostgresStorageOptions>().optional(),
  redis: adapterOptions<RedisOptions>().optional(),
  rabbitmq: adapterOptions<RabbitmqPublisherOptions>().optional(),
});

/** Options with all defaults filled in. */
export type ParsedOptions = z.output<typeof schema>;

/** Checks options and fills in the defaults. @throws TypeError naming each option that is unknown or wrong */
export function parseOptions(options: ReporterOptions): ParsedOptions {
  const parsed = schema.safeParse(options);
  if (parsed.success) return Object.freeze(parsed.data);
  const problems = parsed.error.issues.map((issue) => {
    return issue.path.length > 0 ? `option ${issue.path.join(".")}: ${issue.message}` : issue.message;
  });
  throw new TypeError(`Cannot create a progress reporter: ${problems.join("; ")}`);
}
