import { describe, test } from "vitest";
import { rabbitmqPublisher } from "../../src/adapters/rabbitmq/index.js";
import { publisherConformance } from "../../src/conformance/index.js";
import { rabbitmqUrl } from "../support/servers.js";
import { openConsumer } from "./rabbitmq-subject.js";

describe("RabbitMQ publisher", () =>
  publisherConformance({
    test,
    async factory() {
      const consumer = await openConsumer();
      const publisher = rabbitmqPublisher(rabbitmqUrl(), consumer.names);
      return {
        publisher,
        listen: () => consumer.listen(),
        async received(count) {
          const messages = await consumer.received(count);
          return messages.map(({ payload, properties }) => ({ id: String(properties.messageId), payload }));
        },
        async dispose() {
          await publisher.close();
          await consumer.dispose();
        },
      };
    },
  }));
