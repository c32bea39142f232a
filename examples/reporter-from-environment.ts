import { createProgressReporter, type ProgressReporter, type ReporterOptions } from "worker-progress";

/** A reporter on the servers that the environment names, wholly embedded where it names none. */
export function reporterFromEnvironment(options: ReporterOptions = {}): ProgressReporter {
  const { DATABASE_URL, REDIS_URL, RABBITMQ_URL, EVENTS_EXCHANGE, OUTBOUND_EXCHANGE, REDIS_KEY_PREFIX } = process.env;
  return createProgressReporter(DATABASE_URL, REDIS_URL, RABBITMQ_URL, {
    ...options,
    redis: REDIS_KEY_PREFIX === undefined ? {} : { keyPrefix: REDIS_KEY_PREFIX },
    rabbitmq: {
      eventsExchange: EVENTS_EXCHANGE ?? "events.jobs",
      outboundExchange: OUTBOUND_EXCHANGE ?? "erp.outbound",
    },
  });
}
