import type { ExchangeNames } from "./command.js";

/** The exchanges as the RabbitMQ adapter's options name them. */
export interface ExchangeTopology {
  readonly eventsExchange: string;
  readonly outboundExchange: string;
  readonly bindingKey: string;
}

/** Fills in the names that the library gives. */
export function topologyOf({ events, outbound }: ExchangeNames): ExchangeTopology {
  return {
    eventsExchange: events ?? "events.jobs",
    outboundExchange: outbound ?? "erp.outbound",
    bindingKey: "job.status.#",
  };
}
