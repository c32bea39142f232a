import { type Channel, connect } from "amqplib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventsWaiting } from "../guarantees/journal.js";
import { listen } from "../guarantees/listener.js";
import { startPuppet } from "../guarantees/puppet.js";
import { openStage, type Stage } from "../guarantees/stage.js";
import { eventually } from "../support/eventually.js";
import { type PrivateRabbitmq, privateRabbitmq } from "../support/servers.js";
import { expectPromisesKept, type FaultCourse, type FaultPlan, runFaultCourse } from "./fault-course.js";
import type { Scene } from "./scene.js";

function run(plan: Omit<FaultPlan, "server">): Promise<FaultCourse> {
  return runFaultCourse({ server: "RabbitMQ", ...plan });
}

/** A worker does not notice: all is written, every change is stored, and the events are there when the broker is. */
function expectUnnoticed(course: FaultCourse): void {
  expectPromisesKept(course);
  const { fault } = course.worker.seen;
  const outcomes = new Set(Object.keys(fault.outcomes));
  for (const expected of ["written", "coalesced", "rejected JOB_FINISHED"]) outcomes.delete(expected);
  expect([...outcomes]).toEqual([]);
  expect(Object.keys(fault.changes)).toEqual(["stored"]);
}

/** Does something to the broker by a client of the test's own. */
async function administer<T>(url: string | null, work: (channel: Channel) => Promise<T>): Promise<T> {
  const connection = await connect(url as string);
  try {
    const channel = await connection.createChannel();
    channel.on("error", () => {});
    return await work(channel);
  } finally {
    await connection.close();
  }
}

test("refused: events wait in the outbox", async () => {
  const course = await run({
    fault: "refused",
    inject: ({ network }) => network.rabbitmqUrl.refuse(),
    heal: ({ network }) => network.rabbitmqUrl.accept(),
  });
  expectUnnoticed(course);
});

test("cut with unconfirmed messages: what may have arrived comes again under the same id", async () => {
  const course = await run({
    fault: "cut with unconfirmed messages",
    async inject({ outside, network }) {
      await eventually(() => expect(outside.deliveries.length).toBeGreaterThan(0));
      network.rabbitmqUrl.dropReplies();
    },
    async heal({ stage, outside, network }) {
      await eventually(async () => {
        const { rows } = await stage.db.query<{ event_id: string }>("select event_id from worker_progress_outbox");
        const waiting = rows.map(({ event_id }) => event_id);
        expect(outside.deliveries.filter(({ messageId }) => waiting.includes(messageId))).not.toEqual([]);
      });
      network.rabbitmqUrl.cut();
      await network.rabbitmqUrl.accept();
    },
  });
  expectUnnoticed(course);
  expect(course.consumer.deliveries).toBeGreaterThan(course.consumer.events);
});

test("nack: an event that a full queue refuses is published again until it is taken", async () => {
  let queue = "";
  const course = await run({
    fault: "nack",
    async inject(scene) {
      const { rabbitmqUrl, outboundExchange } = scene.stage.address;
      queue = scene.stage.queue("full");
      await administer(rabbitmqUrl, async (channel) => {
        await channel.assertQueue(queue, { maxLength: 1, arguments: { "x-overflow": "reject-publish" } });
        await channel.bindQueue(queue, outboundExchange, "");
      });
      const { outside } = scene;
      await eventually(() => {
        const ids = outside.deliveries.map(({ messageId }) => messageId);
        expect(new Set(ids).size).toBeLessThan(ids.length);
      });
    },
    heal: ({ stage }) =>
      administer(stage.address.rabbitmqUrl, async (channel) => void (await channel.deleteQueue(queue))),
  });
  expectUnnoticed(course);
  expect(course.consumer.deliveries).toBeGreaterThan(course.consumer.events);
});

test('unroutable, "keep": events wait in the outbox until a queue is bound', async () => {
  const course = await run({
    fault: 'unroutable, `unroutable: "keep"`',
    task: { options: { unroutable: "keep" } },
    inject: (scene) => bindOutside(scene, false),
    heal: (scene) => bindOutside(scene, true),
  });
  expectUnnoticed(course);
});

test('unroutable, "drop": events are let go and counted, which is said once', async () => {
  await using stage = await openStage({ redisUrl: null });
  const puppet = await startPuppet(stage.address, { relay: { pollMs: 50 } });
  const jobId = await stage.job();
  await puppet.call("startJob", jobId);
  await puppet.job("complete");
  await untilNoneWaits(stage);
  await using late = await listen(stage);
  expect(puppet.warnings().filter((warning) => warning.includes("no queue"))).toHaveLength(1);
  expect(await puppet.call("health")).toMatchObject({
    outbox: { waiting: 0 },
    events: { published: 0, unroutable: 2 },
  });
  expect(late.deliveries).toEqual([]);
  puppet.send({ id: -1, name: "close", args: [] });
  puppet.send({ id: -2, name: "letGo", args: [] });
  await puppet.exit;
});

test("the exchange deleted: it is declared again by whoever publishes next", async () => {
  const course = await run({
    fault: "exchange deleted",
    // With nothing on its way: what is routed as the bindings go has no queue, and is let go.
    async inject({ stage }, worker) {
      await worker.rest();
      await untilNoneWaits(stage);
      const { rabbitmqUrl, eventsExchange } = stage.address;
      await administer(rabbitmqUrl, (channel) => channel.deleteExchange(eventsExchange));
      worker.resume();
    },
    heal: () => {},
  });
  expectUnnoticed(course);
});

test("an exchange of another type: events wait until it is right", async () => {
  const course = await run({
    fault: "exchange of another type",
    async inject({ stage: { address }, network }) {
      // Whoever is connected meanwhile may publish to an exchange without bindings, and lets go of what nobody listens for.
      await network.rabbitmqUrl.refuse();
      await administer(address.rabbitmqUrl, async (channel) => {
        await channel.deleteExchange(address.eventsExchange);
        await channel.assertExchange(address.eventsExchange, "headers", { durable: true });
      });
      await network.rabbitmqUrl.accept();
    },
    async heal({ stage: { address } }) {
      await administer(address.rabbitmqUrl, (channel) => channel.deleteExchange(address.eventsExchange));
    },
  });
  expectUnnoticed(course);
});

describe("a broker of its own", () => {
  let broker: PrivateRabbitmq;
  beforeAll(async () => {
    broker = await privateRabbitmq();
  });
  afterAll(() => broker.stop());

  test("restarted: events wait in the outbox", async () => {
    const course = await run({
      fault: "killed and restarted",
      instead: { rabbitmqUrl: broker.url },
      inject: () => broker.kill(),
      heal: () => broker.restart(),
    });
    expectUnnoticed(course);
  });

  test("blocked by a memory alarm: events wait in the outbox", async () => {
    const course = await run({
      fault: "blocked by a memory alarm",
      instead: { rabbitmqUrl: broker.url },
      // Blocked for longer than a confirm may take, for which a broker that is only slow has time.
      task: { options: { rabbitmq: { confirmTimeoutMs: 3_000 } } },
      holdMs: 4_000,
      inject: async () => void (await broker.ctl("set_vm_memory_high_watermark", "0.000001")),
      heal: async () => void (await broker.ctl("set_vm_memory_high_watermark", "0.8")),
    });
    expectUnnoticed(course);
    expect(course.warnings).toEqual([
      "RabbitMQ takes no events for the time being: they wait",
      "RabbitMQ takes events again",
    ]);
  });

  test("the vhost gone: events wait in the outbox until it is back", async () => {
    const addVhost = async () => {
      await broker.ctl("add_vhost", "jobs");
      await broker.ctl("set_permissions", "-p", "jobs", "guest", ".*", ".*", ".*");
    };
    await addVhost();
    const course = await run({
      fault: "vhost missing",
      instead: { rabbitmqUrl: `${broker.url}/jobs` },
      // The queue goes with the vhost, and comes back with its consumer.
      task: { options: { unroutable: "keep" } },
      // What is in a queue goes with the vhost: let the consumer have all of it before.
      async inject({ stage, network }) {
        await network.rabbitmqUrl.refuse();
        await untilEmpty(stage.address.rabbitmqUrl, stage.queue("outside"));
        await broker.ctl("delete_vhost", "jobs");
        await network.rabbitmqUrl.accept();
      },
      // What is published before somebody listens is kept for the try that comes next.
      async heal({ stage }) {
        await addVhost();
        await untilConsumed(stage.address.rabbitmqUrl, stage.queue("outside"));
      },
    });
    expectUnnoticed(course);
  });

  test("the wrong password: events wait in the outbox, and nobody is told the password", async () => {
    await broker.ctl("change_password", "guest", "s3cr3t");
    const course = await run({
      fault: "wrong password",
      instead: { rabbitmqUrl: broker.url.replace("guest:guest", "guest:s3cr3t") },
      // With nothing on its way, so that the reason that is given is the login and not the cut.
      inject: async ({ stage, network }, worker) => {
        await worker.rest();
        await untilNoneWaits(stage);
        await broker.ctl("change_password", "guest", "another");
        network.rabbitmqUrl.cut();
        worker.resume();
      },
      heal: async () => void (await broker.ctl("change_password", "guest", "s3cr3t")),
    });
    expectUnnoticed(course);
    expect(course.reasons.join("\n")).toContain("refused the login");
    expect([...course.warnings, ...course.reasons].join("\n")).not.toContain("s3cr3t");
    await broker.ctl("change_password", "guest", "guest");
  });
});

function untilNoneWaits({ db }: Stage): Promise<void> {
  return eventually(async () => expect(await eventsWaiting(db)).toBe(0));
}

function untilEmpty(url: string | null, queue: string): Promise<void> {
  return administer(url, (channel) =>
    eventually(async () => expect(await channel.checkQueue(queue)).toMatchObject({ messageCount: 0 })),
  );
}

/** Asking for a queue that is not there closes the channel. */
async function untilConsumed(url: string | null, queue: string): Promise<void> {
  await eventually(async () => {
    const found = await administer(url, (channel) => channel.checkQueue(queue));
    expect(found).toMatchObject({ consumerCount: 1 });
  });
}

/** Binds the queue of the consumer outside to the outbound exchange, or takes it off. */
async function bindOutside({ stage }: Scene, bound: boolean): Promise<void> {
  const { rabbitmqUrl, outboundExchange } = stage.address;
  const queue = stage.queue("outside");
  await administer(rabbitmqUrl, async (channel) => {
    if (bound) await channel.bindQueue(queue, outboundExchange, "");
    else await channel.unbindQueue(queue, outboundExchange, "");
  });
}
