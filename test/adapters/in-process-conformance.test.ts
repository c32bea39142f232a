import { describe, test } from "vitest";
import { inProcessPublisher } from "../../src/adapters/memory/index.js";
import { publisherConformance, type ReceivedEvent } from "../../src/conformance/index.js";

describe("in-process publisher", () =>
  publisherConformance({
    test,
    async factory() {
      const publisher = inProcessPublisher();
      const arrived: ReceivedEvent[] = [];
      return {
        publisher,
        async listen() {
          publisher.on((payload) => arrived.push({ id: payload.event_id, payload }));
        },
        async received(count) {
          if (arrived.length < count) throw new Error(`${arrived.length} of ${count} events arrived`);
          return arrived;
        },
        dispose: () => publisher.close(),
      };
    },
  }));
