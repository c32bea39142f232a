import { connect } from "amqplib";
import { expect, test } from "vitest";
import { keepJournal } from "../guarantees/journal.js";
import { listen } from "../guarantees/listener.js";
import { openStage } from "../guarantees/stage.js";
import { eventually } from "../support/eventually.js";
import { startRabbitmqCluster } from "../support/private-rabbitmq-cluster.js";
import { arrivalTimes } from "./arrival-times.js";
import { expectCallsReturnedAtOnce, expectConsistent, longestPause, patience, untilLastIsStored } from "./audit.js";
import { startLoad } from "./load.js";

test("a node is killed that the publisher is connected to and that leads the quorum queue: every event arrives, in order", async () => {
  await using cluster = await startRabbitmqCluster();
  const [victim, witness] = cluster.nodes.map(({ url }) => url) as [string, string];
  await using stage = await openStage({ redisUrl: null, rabbitmqUrl: witness });
  await keepJournal(stage.db);
  const jobIds = await stage.jobs(10);
  const queue = stage.queue("outside");
  await declareOn(victim, queue);
  await using listener = await listen({ address: stage.address, queue: () => queue }, "quorum");
  const load = await startLoad(stage.address, {
    ownJobIds: jobIds,
    clusters: { amqpUrls: cluster.nodes.map(({ url }) => url) },
    options: { windowMs: 100, relay: { pollMs: 100 } },
  });
  using arrivals = arrivalTimes(listener);
  await eventually(() => expect(listener.deliveries.length).toBeGreaterThan(60), patience);

  load.fault();
  const killedAt = Date.now();
  await cluster.nodes[0]?.kill();
  const arrived = listener.deliveries.length;
  await eventually(() => expect(listener.deliveries.length).toBeGreaterThan(arrived + 100), patience);
  const report = await load.stop();
  await untilLastIsStored(stage.db, jobIds);
  await expectConsistent(stage.db, listener);
  expectCallsReturnedAtOnce(report);
  expect(await load.end()).toBe(0);

  const distinct = new Set(listener.deliveries.map(({ messageId }) => messageId)).size;
  const figures = {
    events: distinct,
    redelivered: listener.deliveries.length - distinct,
    pauseMs: longestPause(arrivals.times.filter((at) => at >= killedAt - 500)),
    changes: report.fault.changes,
    longestChangeMs: report.fault.longestChangeMs,
    longestOwnMs: report.fault.longestOwnMs,
  };
  console.log(`RabbitMQ, a node of three killed: ${JSON.stringify(figures)}`);
  expect(report.fault.changes).toEqual({ stored: expect.any(Number) });
});

/** Declares a quorum queue through a node, which leads it then. */
async function declareOn(url: string, queue: string): Promise<void> {
  const connection = await connect(url);
  const channel = await connection.createChannel();
  await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum" } });
  await connection.close();
}
