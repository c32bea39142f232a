import { type ChannelModel, connect } from "amqplib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rabbitmqUrl, type TestNames, testNames } from "../support/servers.js";
import { runProgram } from "./run-program.js";

describe("init-exchanges", () => {
  let connection: ChannelModel;

  beforeAll(async () => {
    connection = await connect(rabbitmqUrl());
  });

  afterAll(() => connection.close());

  test("declares both exchanges and their binding, says so, and run again does the same", async () => {
    const names = testNames();
    for (let time = 0; time < 2; time++) {
      const { code, stdout, stderr } = await init(names);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain(`${names.events}  topic exchange, durable`);
      expect(stdout).toContain(`${names.outbound}  fanout exchange, durable`);
      expect(stdout).toContain(`${names.events} → ${names.outbound}  bound with job.status.#`);
    }
    expect(await travels(names, "job.status.changed")).toBe(true);
    expect(await travels(names, "job.other")).toBe(false);
  });

  test("an exchange that exists with another type is a sentence with its code, and exit code 1", async () => {
    const names = testNames();
    const channel = await connection.createChannel();
    await channel.assertExchange(names.outbound, "direct", { durable: true });
    await channel.close();
    const { code, stdout, stderr } = await init(names);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^worker-progress: TOPOLOGY_MISMATCH: Cannot use exchange ".*\n$/);
    expect(stderr).toContain(`"${names.outbound}"`);
    expect(stderr).not.toContain("    at ");
  });

  test("--debug shows the stack of the same failure", async () => {
    const { events } = testNames();
    const { code, stderr } = await init({ events, outbound: events }, ["--debug"]);
    expect(code).toBe(1);
    expect(stderr).toContain("    at ");
  });

  function init(names: Pick<TestNames, "events" | "outbound">, more: readonly string[] = []) {
    const exchanges = ["--events-exchange", names.events, "--outbound-exchange", names.outbound];
    return runProgram(["init-exchanges", ...exchanges, ...more], { RABBITMQ_URL: rabbitmqUrl() });
  }

  /** Whether a message with this key comes from the topic exchange through to a queue bound to the fanout exchange. */
  async function travels(names: TestNames, key: string): Promise<boolean> {
    const channel = await connection.createConfirmChannel();
    const { queue } = await channel.assertQueue("", { exclusive: true });
    await channel.bindQueue(queue, names.outbound, "");
    channel.publish(names.events, key, Buffer.from("{}"));
    await channel.waitForConfirms();
    const { messageCount } = await channel.checkQueue(queue);
    await channel.deleteQueue(queue);
    await channel.close();
    return messageCount === 1;
  }
});
