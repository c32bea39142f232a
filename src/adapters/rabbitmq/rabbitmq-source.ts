import type { AmqpChannelModel } from "./client-types.js";

/** Opens a connection of its own at each call, which the publisher closes. */
export type AmqpConnectionFactory = () => Promise<AmqpChannelModel>;

/**
 * Where events go: an amqplib `ChannelModel`, which the caller closes and nobody can reopen; an `amqp://` or `amqps://` URL,
 * or a factory of connections, both of which survive the loss of a connection.
 */
export type RabbitmqSource = AmqpChannelModel | AmqpConnectionFactory | string;

/** A source told apart by what it is. */
export type ClassifiedSource =
  | { readonly kind: "given"; readonly model: AmqpChannelModel }
  | { readonly kind: "factory"; readonly open: AmqpConnectionFactory }
  | { readonly kind: "url"; readonly url: string };

/** Tells what a value is as a source, or null when it is none. Opens nothing. */
export function classifyRabbitmqSource(value: unknown): ClassifiedSource | null {
  if (typeof value === "string") return isAmqpUrl(value) ? { kind: "url", url: value } : null;
  if (typeof value === "function") return { kind: "factory", open: value as AmqpConnectionFactory };
  return isChannelModel(value) ? { kind: "given", model: value } : null;
}

/** Whether `rabbitmqPublisher` can use a value. Opens nothing. */
export function isRabbitmqSource(value: unknown): value is RabbitmqSource {
  return classifyRabbitmqSource(value) !== null;
}

/** Whether a value is an amqplib connection. */
export function isChannelModel(value: unknown): value is AmqpChannelModel {
  if (typeof value !== "object" || value === null) return false;
  const methods = ["createConfirmChannel", "close", "on", "off"];
  return methods.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
}

function isAmqpUrl(url: string): boolean {
  return /^amqps?:\/\//i.test(url) && URL.canParse(url);
}
