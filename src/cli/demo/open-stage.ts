import { randomBytes } from "node:crypto";
import { memoryThrottle } from "../../adapters/memory/index.js";
import { postgresStorage } from "../../adapters/postgres/index.js";
import { rabbitmqPublisher } from "../../adapters/rabbitmq/index.js";
import type { PublisherAdapter } from "../../ports/publisher.js";
import type { StorageAdapter } from "../../ports/storage.js";
import type { ThrottleAdapter } from "../../ports/throttle.js";
import type { DemoCommand } from "../command.js";
import { topologyOf } from "../exchange-topology.js";
import { present } from "../present.js";
import { serverAddress } from "../server-address.js";
import { checkedRedis } from "./checked-redis.js";
import type { Fact } from "./demo-lines.js";
import { inProcessPost } from "./in-process-post.js";
import type { Post } from "./post.js";
import { rabbitmqPost } from "./rabbitmq-post.js";

/** What a demo plays on: ready to use, tables and exchanges made. */
export interface Stage {
  readonly storage: StorageAdapter;
  readonly throttle: ThrottleAdapter;
  readonly publisher: PublisherAdapter;
  readonly post: Post;
  /** What it is made of, for people. */
  readonly facts: readonly Fact[];
  close(): Promise<void>;
}

type Warn = (message: string) => void;
type Own = <T extends { close(): Promise<void> }>(part: T) => T;

/** Opens what the command names, and embeds the rest. */
export async function openStage(command: DemoCommand, warn: Warn): Promise<Stage> {
  const opened: { close(): Promise<void> }[] = [];
  const own: Own = (part) => {
    opened.push(part);
    return part;
  };
  const close = async () => {
    for (const part of opened.splice(0).reverse()) await part.close();
  };
  const name = `worker-progress.demo.${randomBytes(4).toString("hex")}`;
  try {
    // The embedded database last: it takes a second or two, and a server that does not answer is told of at once.
    const throttle = await openThrottle(command, name, warn, own);
    const events = await openEvents(command, name, warn, own);
    const storage = await openStorage(command, own);
    const facts = [storage.fact, throttle.fact, ...events.facts];
    return { storage: storage.storage, throttle: throttle.throttle, ...events, facts, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openStorage({ urls, schema }: DemoCommand, own: Own) {
  const { database } = urls;
  const storage = own(postgresStorage(database ?? "memory://", present({ schema })));
  await storage.schema.migrate();
  const fact: Fact = [
    "database",
    database === undefined ? "PGlite, embedded" : `PostgreSQL at ${serverAddress(database)}`,
  ];
  return { storage, fact };
}

async function openThrottle({ urls }: DemoCommand, name: string, warn: Warn, own: Own) {
  const { redis } = urls;
  const throttle = own(redis === undefined ? memoryThrottle() : await checkedRedis(redis, name, warn));
  const fact: Fact = ["windows", redis === undefined ? "in memory" : `Redis at ${serverAddress(redis)}`];
  return { throttle, fact };
}

async function openEvents({ urls, exchanges }: DemoCommand, name: string, warn: Warn, own: Own) {
  const { amqp } = urls;
  if (amqp === undefined) {
    const { publisher, post } = inProcessPost();
    const facts: Fact[] = [["events", "to a listener in this process"]];
    return { publisher: own(publisher), post: own(post), facts };
  }
  const { eventsExchange, outboundExchange, bindingKey } = topologyOf(exchanges);
  const log = { warn };
  const publisher = own(rabbitmqPublisher(amqp, { eventsExchange, outboundExchange, bindingKey, log }));
  await publisher.setup();
  const queues = { tasks: `${name}.tasks`, events: `${name}.erp` };
  const post = own(await rabbitmqPost(amqp, outboundExchange, queues));
  const facts: Fact[] = [
    ["events", `RabbitMQ at ${serverAddress(amqp)}`],
    ["", `${eventsExchange} → ${outboundExchange} → ${queues.events}`],
    ["tasks", queues.tasks],
  ];
  return { publisher, post, facts };
}
