/*
 * What the consumer needs of amqplib, as structural subsets, so that amqplib's types are no dependency of everybody who
 * compiles against this package. https://amqp-node.github.io/amqplib/channel_api.html
 */

/** The subset of a `ChannelModel`, which is amqplib's connection. */
export interface AmqpConsumerModel {
  readonly connection?: unknown;
  createConfirmChannel(): Promise<AmqpConsumerChannel>;
  close(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "close", listener: (error?: Error) => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
  off(event: "close", listener: (error?: Error) => void): unknown;
}

/** The subset of a `ConfirmChannel`. */
export interface AmqpConsumerChannel {
  assertExchange(exchange: string, type: "fanout" | "topic", options: { readonly durable: true }): Promise<unknown>;
  assertQueue(queue: string, options: AmqpQueueOptions): Promise<unknown>;
  bindQueue(queue: string, exchange: string, routingKey: string): Promise<unknown>;
  prefetch(count: number): Promise<unknown>;
  consume(queue: string, deliver: (message: AmqpDelivery | null) => void): Promise<{ readonly consumerTag: string }>;
  cancel(consumerTag: string): Promise<unknown>;
  ack(message: AmqpDelivery): void;
  reject(message: AmqpDelivery, requeue: false): void;
  publish(
    exchange: string,
    routingKey: string,
    content: Buffer,
    properties: AmqpRepublishOptions,
    answered: (error: Error | null) => void,
  ): boolean;
  close(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "close", listener: () => void): unknown;
  on(event: "return", listener: (message: Pick<AmqpDelivery, "properties">) => void): unknown;
}

/** How a queue is declared. */
export interface AmqpQueueOptions {
  readonly durable: true;
  readonly arguments: Readonly<Record<string, string | number | boolean>>;
}

/** A message that the broker hands over. */
export interface AmqpDelivery {
  readonly content: Buffer;
  readonly fields: { readonly redelivered: boolean; readonly exchange: string; readonly routingKey: string };
  readonly properties: AmqpDeliveryProperties;
}

/** What came with a message. Anybody may have sent it, so nothing is certain. */
export interface AmqpDeliveryProperties {
  readonly contentType?: unknown;
  readonly contentEncoding?: unknown;
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
  readonly correlationId?: unknown;
  readonly messageId?: unknown;
  readonly timestamp?: unknown;
  readonly type?: unknown;
  readonly appId?: unknown;
  readonly replyTo?: unknown;
  readonly priority?: unknown;
}

/** What goes with a message that is put aside. */
export interface AmqpRepublishOptions {
  readonly persistent: true;
  readonly mandatory: true;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly contentType?: string;
  readonly contentEncoding?: string;
  readonly correlationId?: string;
  readonly messageId?: string;
  readonly timestamp?: number;
  readonly type?: string;
  readonly appId?: string;
  readonly replyTo?: string;
  readonly priority?: number;
}
