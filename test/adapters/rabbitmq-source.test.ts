import { once } from "node:events";
import { inspect } from "node:util";
import { type ChannelModel, connect } from "amqplib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  isRabbitmqSource,
  type RabbitmqPublisherOptions,
  rabbitmqPublisher,
} from "../../src/adapters/rabbitmq/index.js";
import { startWorker } from "../support/child-process.js";
import { freePort } from "../support/free-port.js";
import { rabbitmqUrl } from "../support/servers.js";
import { type Consumer, newEvents, openConsumer } from "./rabbitmq-subject.js";

describe("on a given connection", () => {
  let consumer: Consumer;
  let given: ChannelModel;
  beforeEach(async () => {
    consumer = await openConsumer();
    given = await connect(rabbitmqUrl());
  });
  afterEach(async () => {
    await given.close().catch(() => {});
    await consumer.dispose();
  });

  test("only the publisher's own channel is closed, and no listener is left behind", async () => {
    const before = listenersOf(given);
    const publisher = rabbitmqPublisher(given, consumer.names);
    await publisher.publish(newEvents(1));
    await publisher.close();
    expect(listenersOf(given)).toEqual(before);
    const channel = await given.createChannel();
    await channel.checkExchange(consumer.names.eventsExchange);
  });

  test("that is closed for good, the message says to pass a URL or a factory", async () => {
    const publisher = rabbitmqPublisher(given, consumer.names);
    await publisher.setup();
    await given.close();
    for (const attempt of [() => publisher.publish(newEvents(1)), () => publisher.setup()]) {
      await expect(attempt()).rejects.toMatchObject({
        code: "PUBLISHER_UNAVAILABLE",
        message: expect.stringMatching(/^The given RabbitMQ connection is closed .* pass a URL or a factory/),
      });
    }
    await publisher.close();
  });

  test("that was closed before, the same", async () => {
    await given.close();
    const publisher = rabbitmqPublisher(given, consumer.names);
    await expect(publisher.setup()).rejects.toMatchObject({
      message: expect.stringMatching(/^The given RabbitMQ connection is closed/),
    });
    await publisher.close();
  });
});

describe("with a factory", () => {
  test("its connection is closed with the publisher", async () => {
    const consumer = await openConsumer();
    const made: ChannelModel[] = [];
    const publisher = rabbitmqPublisher(async () => {
      const model = await connect(rabbitmqUrl());
      made.push(model);
      return model;
    }, consumer.names);
    expect(made).toHaveLength(0);
    await Promise.all([publisher.publish(newEvents(1)), publisher.publish(newEvents(1))]);
    expect(made).toHaveLength(1);
    const closed = once(made[0] as ChannelModel, "close");
    await publisher.close();
    await closed;
    await consumer.dispose();
  });

  test("a secret in its error is not passed on", async () => {
    const publisher = rabbitmqPublisher(async () => {
      throw new Error("no route to amqp://admin:s3cret@broker:5672/prod");
    });
    const error = await publisher.setup().catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: "PUBLISHER_UNAVAILABLE",
      message: "Cannot connect to RabbitMQ: no route to amqp://***@broker:5672/prod",
    });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("s3cret");
  });

  test("that answers no connection, the caller is told", async () => {
    const publisher = rabbitmqPublisher((async () => ({ pool: true })) as never);
    await expect(publisher.setup()).rejects.toThrow(/must answer a promise of an amqplib ChannelModel/);
  });
});

describe("with a URL", () => {
  const secret = "s3cret%40pass";

  async function failureOf(url: string, options?: RabbitmqPublisherOptions) {
    const error = await rabbitmqPublisher(url, options)
      .setup()
      .catch((reason: unknown) => reason);
    const everything = inspect(error, { depth: 9, showHidden: true });
    for (const leak of [secret, decodeURIComponent(secret)]) expect(everything).not.toContain(leak);
    return error;
  }

  test("a refused login is named without the password", async () => {
    const url = new URL(rabbitmqUrl());
    url.password = decodeURIComponent(secret);
    expect(await failureOf(url.href)).toMatchObject({
      code: "PUBLISHER_UNAVAILABLE",
      message: `RabbitMQ at "${url.host}" refused the login of user "${url.username}": check its name and password`,
    });
  });

  test("a vhost that does not exist is named", async () => {
    const url = new URL(rabbitmqUrl());
    url.pathname = "/no%20such";
    expect(await failureOf(url.href)).toMatchObject({
      code: "PUBLISHER_UNAVAILABLE",
      message: `RabbitMQ at "${url.host}" refused vhost "no such": it does not exist or user "${url.username}" has no permission for it`,
    });
  });

  test("a server that is not there is named", async () => {
    const port = await freePort();
    expect(await failureOf(`amqp://guest:${secret}@127.0.0.1:${port}`)).toMatchObject({
      code: "PUBLISHER_UNAVAILABLE",
      message: `Cannot connect to RabbitMQ at "127.0.0.1:${port}": connect ECONNREFUSED 127.0.0.1:${port}`,
    });
  });

  test("an idle publisher lets the process end, and one that publishes holds it", async () => {
    const consumer = await openConsumer();
    const worker = await startWorker(new URL("./rabbitmq-exit.fixture.ts", import.meta.url), {
      args: [rabbitmqUrl(), JSON.stringify(consumer.names)],
    });
    expect(await worker.exit).toMatchObject({ code: 0, stdout: "unroutable\n", stderr: "" });
    await consumer.dispose();
  });

  test("without amqplib installed the package to install is named", async () => {
    const worker = await startWorker(new URL("./rabbitmq-exit.fixture.ts", import.meta.url), {
      args: [rabbitmqUrl(), "{}"],
      nodeArgs: ["--import", hideAmqplib],
    });
    expect(await worker.exit).toMatchObject({
      code: 1,
      stderr:
        'MISSING_DEPENDENCY: Cannot connect to RabbitMQ: package "amqplib" is not installed, run npm install amqplib\n',
    });
  });
});

/** Makes Node look for a package that is not there. */
const hideAmqplib = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  registerHooks({ resolve: (name, context, next) => next(name === "amqplib" ? "amqplib-is-not-installed" : name, context) });
`)}`;

describe("arguments", () => {
  test.each([
    ["amqp://localhost", true],
    ["AMQPS://user:pass@host:5671/vhost", true],
    [() => connect("amqp://localhost"), true],
    ["http://localhost", false],
    ["amqp://", true],
    ["amqp://user:pa ss@[", false],
    [{}, false],
    [null, false],
    [undefined, false],
    [{ createConfirmChannel() {}, close() {} }, false],
  ])("%o is a source: %s", (value, expected) => {
    expect(isRabbitmqSource(value)).toBe(expected);
  });

  test("what is no source is refused without being shown", () => {
    expect(() => rabbitmqPublisher("amqp://user:s3cret@[")).toThrow(
      new TypeError(
        "RabbitMQ must be an amqplib ChannelModel, a function that opens one, or a URL like amqp://user:password@host:5672/vhost",
      ),
    );
  });

  test.each<[Record<string, unknown>, string]>([
    [{ exchange: "x" }, 'Unknown option "exchange", known are eventsExchange,'],
    [{ eventsExchange: "" }, "Option eventsExchange must have 1 to 255 bytes, it has 0"],
    [{ outboundExchange: "ü".repeat(128) }, "Option outboundExchange must have 1 to 255 bytes, it has 256"],
    [{ outboundExchange: "amq.fanout" }, 'Option outboundExchange must not begin with "amq.": RabbitMQ reserves it'],
    [
      { eventsExchange: "a", outboundExchange: "a" },
      "Options eventsExchange and outboundExchange must name two exchanges",
    ],
    [{ routingKey: 5 }, "Option routingKey must be a string"],
    [{ bindingKey: "\ud800" }, "Option bindingKey must be a string"],
    [{ format: "xml" }, 'Option format must be "plain" or { cloudEvents: { source } } with a URI reference as source'],
    [{ format: { cloudEvents: { source: "" } } }, "Option format must be"],
    [{ confirmTimeoutMs: 0 }, "Option confirmTimeoutMs must be a whole number of milliseconds from 1 to 2147483647"],
    [{ connectTimeoutMs: 1.5 }, "Option connectTimeoutMs must be a whole number of milliseconds from 1 to 2147483647"],
    [{ heartbeatSeconds: 65_536 }, "Option heartbeatSeconds must be a whole number of seconds from 0 to 65535"],
    [{ log: {} }, "Option log must have a method warn"],
  ])("options %o are refused: %s", (options, message) => {
    expect(() => rabbitmqPublisher("amqp://localhost", options)).toThrow(message);
  });
});

function listenersOf(model: ChannelModel): readonly number[] {
  return ["error", "close", "blocked", "unblocked"].map((event) => model.listenerCount(event));
}
