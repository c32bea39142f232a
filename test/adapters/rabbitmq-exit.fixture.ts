import { rabbitmqPublisher } from "../../src/adapters/rabbitmq/index.js";
import type { WorkerProgressError } from "../../src/domain/errors.js";
import { newEvent } from "./new-event.js";

// Nothing but the publisher could hold this process, and nobody closes it.
const [url = "", names = "{}"] = process.argv.slice(2);
rabbitmqPublisher(url, JSON.parse(names))
  .publish([newEvent()])
  .then(
    ([outcome]) => console.log(outcome),
    ({ code, message }: WorkerProgressError) => {
      console.error(`${code}: ${message}`);
      process.exitCode = 1;
    },
  );
