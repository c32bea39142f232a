import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { ListeningClient } from "../../src/adapters/postgres/client-types.js";
import {
  NotificationListener,
  type NotificationListenerParts,
} from "../../src/adapters/postgres/notification-listener.js";
import type { Topic } from "../../src/adapters/postgres/table-channels.js";
import { eventually } from "../support/eventually.js";
import { type TestDatabase, testDatabase } from "../support/servers.js";
import { testWaits } from "./postgres-live-subject.js";
import { quietPool } from "./postgres-subject.js";

const notHeard = "PostgreSQL notifications are not heard: watched jobs are polled until they are";

let database: TestDatabase;
let warnings: string[];
let tries: number;

beforeAll(async () => {
  database = await testDatabase();
});

afterAll(() => database.drop());

beforeEach(() => {
  [warnings, tries] = [[], 0];
});

afterEach(() => vi.restoreAllMocks());

/** Listens on connections that are made as `make` does. */
function listenerOf(
  make: () => Promise<ListeningClient>,
  parts: Partial<NotificationListenerParts> = {},
  isOver = () => false,
) {
  const counted = () => {
    tries++;
    return make();
  };
  return new NotificationListener({
    clients: { hosts: 1, make: counted, isOver },
    channels: async () => ({ news: "news", cancellations: "cancellations" }),
    ownChannel: "own",
    send: async () => {},
    wanted: () => ["news"],
    onPayload: () => {},
    onStands: () => {},
    onLost: () => {},
    log: { warn: (message) => void warnings.push(message) },
    waits: testWaits,
    ...parts,
  });
}

function simulateTime(): void {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.spyOn(Math, "random").mockReturnValue(1);
  onTestFinished(() => void vi.useRealTimers());
}

const refuses = () => Promise.reject(new Error("connect ECONNREFUSED"));
const hangs = () => new Promise<never>(() => {});
const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const backoff = { firstMs: 1_000, maxMs: 4_000 };

describe("a server that cannot be reached", () => {
  test("is tried again after waits that grow up to a limit, and said once to be away", async () => {
    simulateTime();
    const listener = listenerOf(refuses, { waits: { ...testWaits, backoff } });
    await listener.listen("news");
    for (const [wait, tried] of [
      [999, 1],
      [1, 2],
      [999, 2],
      [1, 3],
      [1_999, 3],
      [1, 4],
      [4_000, 5],
      [3_999, 5],
      [1, 6],
    ] as const) {
      await elapse(wait);
      expect(tries).toBe(tried);
    }
    expect(warnings).toEqual([notHeard]);
    await listener.close();
  });

  test("is not tried for each who comes meanwhile", async () => {
    simulateTime();
    const listener = listenerOf(refuses);
    await listener.listen("news");
    await listener.listen("news");
    await listener.listen("cancellations");
    expect(tries).toBe(1);
    await listener.close();
  });

  test("is not tried again after close, by nobody", async () => {
    simulateTime();
    const listener = listenerOf(refuses);
    await listener.listen("news");
    await listener.close();
    expect(vi.getTimerCount()).toBe(0);
    await listener.listen("news");
    expect(tries).toBe(1);
  });

  test("is not tried any more where the pool was ended", async () => {
    simulateTime();
    const listener = listenerOf(refuses, {}, () => true);
    await listener.listen("news");
    await elapse(60_000);
    expect(tries).toBe(1);
    await listener.close();
  });

  test("is not tried after a close that came while it was tried", async () => {
    simulateTime();
    let refuse = (_: Error) => {};
    const listener = listenerOf(() => new Promise((_, reject) => (refuse = reject)));
    const listening = listener.listen("news");
    await elapse(0);
    const closed = listener.close();
    refuse(new Error("connect ECONNREFUSED"));
    await Promise.all([listening, closed]);
    await elapse(60_000);
    expect([tries, warnings]).toEqual([1, []]);
  });
});

describe("a connection that stands", () => {
  let sending: pg.Pool;
  beforeEach(() => {
    sending = quietPool({ connectionString: database.url });
  });
  afterEach(() => sending.end());

  const send: NotificationListenerParts["send"] = async ({ channel, payload }) =>
    void (await sending.query("select pg_notify($1, $2)", [channel, payload]));
  const waits = { ...testWaits, lifeMs: 20 };

  test("hears what came to be wanted while it was opened", async () => {
    const wanted: Topic[] = ["news"];
    const stands: Topic[] = [];
    const listener = listenerOf(async () => new pg.Client(database.url), {
      send: async (notification) => {
        wanted.push("cancellations");
        await send(notification);
      },
      wanted: () => wanted,
      onStands: (topic) => void stands.push(topic),
    });
    await listener.listen("news");
    expect([listener.hears("news"), listener.hears("cancellations")]).toEqual([true, true]);
    expect(stands).toEqual(["news", "cancellations"]);
    await listener.close();
  });

  test("is not lost with the one before it that nobody wanted any more", async () => {
    let wanted: Topic[] = ["news"];
    const onLost = vi.fn();
    const clients: pg.Client[] = [];
    const listener: NotificationListener = listenerOf(
      async () => {
        const client = new pg.Client(database.url);
        clients.push(client);
        return client;
      },
      { send, wanted: () => wanted, onLost, waits },
    );
    await listener.listen("news");
    const first = clients[0] as pg.Client;
    const ended = new Promise((resolve) => first.once("end", resolve));
    const end = first.end.bind(first);
    vi.spyOn(first, "end").mockImplementation(async () => {
      wanted = ["news"];
      await listener.listen("news");
      await end();
    });
    wanted = [];
    await ended;
    expect([listener.hears("news"), clients.length]).toEqual([true, 2]);
    expect(onLost).not.toHaveBeenCalled();
    await listener.close();
  });

  test("is replaced where it is lost as it gives a sign of life", async () => {
    const clients: pg.Client[] = [];
    const listener = listenerOf(
      async () => {
        const client = new pg.Client(database.url);
        clients.push(client);
        return client;
      },
      { send, waits },
    );
    await listener.listen("news");
    const first = clients[0] as pg.Client;
    const query = first.query.bind(first) as (text: string) => Promise<unknown>;
    vi.spyOn(first, "query").mockImplementation(async (text: string) => {
      await query(text);
      first.emit("end");
    });
    await eventually(() => expect(clients).toHaveLength(2));
    await eventually(() => expect(listener.hears("news")).toBe(true));
    await listener.close();
  });
});

describe("a connection that takes its time", () => {
  test("is one for all who come, who wait for it no longer than they are told to", async () => {
    simulateTime();
    const listener = listenerOf(hangs, { waits: { ...testWaits, readyMs: 500 } });
    let waiting = 2;
    for (const topic of ["news", "cancellations"] as const) void listener.listen(topic).then(() => waiting--);
    await elapse(499);
    expect([waiting, tries]).toEqual([2, 1]);
    await elapse(1);
    await vi.waitFor(() => expect([waiting, tries]).toEqual([0, 1]));
  });

  test("is waited for by close as long, and is ended where it comes later", async () => {
    const sending = quietPool({ connectionString: database.url });
    simulateTime();
    let make = (_: ListeningClient) => {};
    const listener = listenerOf(() => new Promise((resolve) => (make = resolve)), {
      send: async ({ channel, payload }) => void (await sending.query("select pg_notify($1, $2)", [channel, payload])),
      waits: { ...testWaits, readyMs: 500 },
    });
    void listener.listen("news");
    await elapse(0);
    let isClosed = false;
    const closed = listener.close().then(() => (isClosed = true));
    await elapse(499);
    expect(isClosed).toBe(false);
    await elapse(1);
    await closed;
    const client = new pg.Client(database.url);
    const end = vi.spyOn(client, "end");
    make(client);
    await vi.waitFor(() => expect(end).toHaveBeenCalledOnce(), { timeout: 10_000 });
    vi.useRealTimers();
    await sending.end();
  });
});
