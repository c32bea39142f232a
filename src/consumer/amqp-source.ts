import type { AmqpConsumerModel } from "./client-types.js";

/** Opens a connection of its own at each call, which the consumer closes. */
export type AmqpConsumerFactory = () => Promise<AmqpConsumerModel>;

/**
 * Where events come from: an amqplib `ChannelModel`, which the caller closes and nobody can reopen; an `amqp://` or
 * `amqps://` URL, or a factory of connections, both of which survive the loss of a connection.
 */
export type AmqpConsumerSource = AmqpConsumerModel | AmqpConsumerFactory | string;

/** A source told apart by what it is. */
export type ClassifiedSource =
  | { readonly kind: "given"; readonly model: AmqpConsumerModel }
  | { readonly kind: "factory"; readonly open: AmqpConsumerFactory }
  | { readonly kind: "url"; readonly url: string };

/**
 * Tells what a value is as a source. Opens nothing.
 * @throws TypeError when it is none
 */
export function classifySource(value: unknown): ClassifiedSource {
  if (typeof value === "string" && isAmqpUrl(value)) return { kind: "url", url: value };
  if (typeof value === "function") return { kind: "factory", open: value as AmqpConsumerFactory };
  if (isConsumerModel(value)) return { kind: "given", model: value };
  throw new TypeError(
    "The source of events must be an amqplib ChannelModel, a function that opens one, or a URL like amqp://user:password@host:5672/vhost",
  );
}

/** Whether a value is an amqplib connection. */
export function isConsumerModel(value: unknown): value is AmqpConsumerModel {
  if (typeof value !== "object" || value === null) return false;
  const methods = ["createConfirmChannel", "close", "on", "off"];
  return methods.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
}

function isAmqpUrl(url: string): boolean {
  return /^amqps?:\/\//i.test(url) && URL.canParse(url);
}
