import type { ReporterOptions } from "worker-progress";

/** Where a test's servers are and what its own names on them are: all that a worker process has to be told. */
export interface StageAddress {
  readonly databaseUrl: string;
  /** Null: windows hold per process. */
  readonly redisUrl: string | null;
  /** Null: events stay in the outbox. */
  readonly rabbitmqUrl: string | null;
  readonly keyPrefix: string;
  readonly eventsExchange: string;
  readonly outboundExchange: string;
}

/** Options that keep a reporter to the names of its stage. */
export function optionsOn(address: StageAddress, options: ReporterOptions = {}): ReporterOptions {
  return {
    ...options,
    redis: { keyPrefix: address.keyPrefix, ...options.redis },
    rabbitmq: {
      eventsExchange: address.eventsExchange,
      outboundExchange: address.outboundExchange,
      ...options.rabbitmq,
    },
  };
}
