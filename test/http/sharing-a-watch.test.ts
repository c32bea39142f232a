import { afterAll, beforeAll, expect, test } from "vitest";
import { memoryLive } from "../../src/adapters/memory/memory-live.js";
import { toNodeHandler } from "../../src/http/node-handler.js";
import type { LiveAdapter } from "../../src/ports/live.js";
import { type EngineUnderTest, engineOn, withJobs } from "../engine/engine-on.js";
import { eventually } from "../support/eventually.js";
import { SimulatedClock } from "../support/simulated-clock.js";
import { checkedHandler } from "./checked-handler.js";
import { serve } from "./node-server.js";

const clients = 40;

/** Live updates, and which subscriptions to them stand: of jobs by their id, and of all cancellations. */
interface Counted {
  readonly live: LiveAdapter;
  readonly standing: readonly string[];
}

function counted(live: LiveAdapter): Counted {
  const standing: string[] = [];
  const counting = async (name: string, subscribed: ReturnType<LiveAdapter["subscribe"]>) => {
    standing.push(name);
    const end = await subscribed;
    return () => {
      standing.splice(standing.indexOf(name), 1);
      end();
    };
  };
  return {
    standing,
    live: {
      ...live,
      subscribe: (jobId, listener) => counting(jobId, live.subscribe(jobId, listener)),
      subscribeCancellations: (listener) => counting("cancellations", live.subscribeCancellations(listener)),
    },
  };
}

let counts: Counted;
let under: EngineUnderTest;
beforeAll(() => {
  const clock = new SimulatedClock();
  counts = counted(memoryLive({ clock }));
  under = engineOn({ clock, live: counts.live });
  withJobs(under.storage, "1");
});
afterAll(() => under.reporter.close());

test("all clients of a job share one subscription, and none is left when they are gone, however they go", async () => {
  const { connection } = await serve(toNodeHandler(checkedHandler(under.reporter)));
  const told = new Set<number>();
  const sockets = Array.from({ length: clients }, (_, index) => {
    const socket = connection();
    socket.on("data", (chunk: Buffer) => chunk.includes("data: ") && told.add(index));
    socket.write("GET /api/v1/jobs/1/events HTTP/1.1\r\nHost: a\r\n\r\n");
    return socket;
  });
  await eventually(() => expect(told.size).toBe(clients));
  expect(counts.standing).toEqual(["1", "cancellations"]);

  const [kept, ...leaving] = sockets;
  for (const [index, socket] of leaving.entries()) {
    if (index % 3 === 0) socket.end();
    else if (index % 3 === 1) socket.destroy();
    else socket.resetAndDestroy();
  }
  await eventually(() => expect(under.hub.size).toBe(1));
  expect(counts.standing).toEqual(["1", "cancellations"]);
  kept?.resetAndDestroy();
  await eventually(() => expect(under.hub.size).toBe(0));
  await eventually(() => expect(counts.standing).toEqual([]));
});
