export type { AmqpChannelModel, AmqpConfirmChannel } from "./client-types.js";
export type { EventFormat, RabbitmqPublisherOptions } from "./options.js";
export type { RabbitmqPublisherState } from "./publisher-state.js";
export { type RabbitmqPublisher, rabbitmqPublisher } from "./rabbitmq-publisher.js";
export { type AmqpConnectionFactory, isRabbitmqSource, type RabbitmqSource } from "./rabbitmq-source.js";
