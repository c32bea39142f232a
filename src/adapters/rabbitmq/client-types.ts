/*
 * What the adapter needs of amqplib, as structural subsets. The real types would make amqplib a dependency of everybody who
 * compiles against this package, although only users of RabbitMQ install it. https://amqp-node.github.io/amqplib/channel_api.html
 */

/** The subset of a `ChannelModel`, which is amqplib's connection. */
export interface AmqpChannelModel {
  readonly connection?: unknown;
  createConfirmChannel(): Promise<AmqpConfirmChannel>;
  close(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "close", listener: (error?: Error) => void): unknown;
  on(event: "blocked", listener: (reason: string) => void): unknown;
  on(event: "unblocked", listener: () => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
  off(event: "close", listener: (error?: Error) => void): unknown;
  off(event: "blocked", listener: (reason: string) => void): unknown;
  off(event: "unblocked", listener: () => void): unknown;
}

/** The subset of a `ConfirmChannel`. */
export interface AmqpConfirmChannel {
  assertExchange(exchange: string, type: "topic" | "fanout", options: { readonly durable: true }): Promise<unknown>;
  bindExchange(destination: string, source: string, pattern: string): Promise<unknown>;
  publish(
    exchange: string,
    routingKey: string,
    content: Uint8Array,
    properties: AmqpPublishOptions,
    answered: (error: Error | null) => void,
  ): boolean;
  close(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "close" | "drain", listener: () => void): unknown;
  on(event: "return", listener: (message: AmqpReturnedMessage) => void): unknown;
}

/** What goes with each message. */
export interface AmqpPublishOptions {
  readonly persistent: true;
  readonly mandatory: true;
  readonly contentType: string;
  readonly messageId: string;
  readonly type: string;
  /** Seconds since the epoch. */
  readonly timestamp: number;
}

/** A message that no queue was bound for. */
export interface AmqpReturnedMessage {
  readonly properties: { readonly messageId?: unknown };
}
