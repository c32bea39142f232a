import { describe, expect, test } from "vitest";
import { memoryLive } from "../../src/adapters/memory/index.js";
import { liveConformance } from "../../src/conformance/index.js";
import { progressOf, recorder } from "../../src/conformance/live-fixtures.js";
import { SimulatedClock } from "../support/simulated-clock.js";

describe("live updates within a process", () => {
  liveConformance({
    test,
    reach: "process",
    factory: async () => {
      const live = memoryLive({ log: { warn: () => {} } });
      return { live, peer: live, dispose: () => live.close() };
    },
  });

  test("the latest is forgotten after a minute", async () => {
    const clock = new SimulatedClock();
    const live = memoryLive({ clock });
    await live.publish([progressOf("job", 1)]);
    await clock.advance(59_999);
    expect(await live.latest(["job"])).toEqual([progressOf("job", 1)]);
    await clock.advance(1);
    expect(await live.latest(["job"])).toEqual([null]);
  });

  test("of more than 10,000 jobs the one heard of longest ago is forgotten first", async () => {
    const live = memoryLive();
    await live.publish(Array.from({ length: 10_000 }, (_, index) => progressOf(`job ${index}`, 1)));
    await live.publish([progressOf("job 0", 2), progressOf("one more", 3)]);
    expect(await live.latest(["job 0", "job 1", "job 2", "one more"])).toEqual([
      progressOf("job 0", 2),
      null,
      progressOf("job 2", 1),
      progressOf("one more", 3),
    ]);
  });

  test("a listener that publishes does not overtake what it answers", async () => {
    const live = memoryLive();
    await live.subscribe("job", {
      onMessage: (message) => {
        if (message.kind === "progress" && message.progress === 1) void live.publish([progressOf("job", 2)]);
      },
      onGap: () => {},
    });
    const listener = recorder();
    await live.subscribe("job", listener);
    await live.publish([progressOf("job", 1)]);
    expect(listener.heard).toEqual([progressOf("job", 1), progressOf("job", 2)]);
  });

  test("one who listens anew is not left when an earlier listener leaves twice", async () => {
    const live = memoryLive();
    const leave = await live.subscribe("job", recorder());
    leave();
    const listener = recorder();
    await live.subscribe("job", listener);
    leave();
    await live.publish([progressOf("job", 1)]);
    expect(listener.heard).toEqual([progressOf("job", 1)]);
  });

  test("one who begins to listen while a message is told does not hear that message", async () => {
    const live = memoryLive();
    const late = recorder();
    await live.subscribe("job", { onMessage: () => void live.subscribe("job", late), onGap: () => {} });
    await live.publish([progressOf("job", 1)]);
    expect(late.heard).toEqual([]);
  });

  test("what waits while a listener closes is neither told nor kept", async () => {
    const live = memoryLive();
    await live.subscribe("job", { onMessage: () => void live.close(), onGap: () => {} });
    await live.publish([progressOf("job", 1), progressOf("job", 2)]);
    expect(await live.latest(["job"])).toEqual([null]);
  });

  test.each([new Error("broken"), "broken"])("a listener that throws is logged: %s", async (thrown) => {
    const warnings: unknown[] = [];
    const live = memoryLive({ log: { warn: (...warning) => void warnings.push(warning) } });
    const onMessage = () => {
      throw thrown;
    };
    await live.subscribe("job", { onMessage, onGap: () => {} });
    await live.publish([progressOf("job", 1)]);
    expect(warnings).toEqual([["A listener of live updates failed", { reason: "broken" }]]);
  });
});
