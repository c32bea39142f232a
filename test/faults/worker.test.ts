import { describe, expect, test } from "vitest";
import {
  eventsWaiting,
  faultsIn,
  journaledChanges,
  journaledEvents,
  keepJournal,
  noFaults,
} from "../guarantees/journal.js";
import { type Listener, listen } from "../guarantees/listener.js";
import { type Puppet, startPuppet } from "../guarantees/puppet.js";
import { openStage, type Stage } from "../guarantees/stage.js";
import { viaProxy } from "../guarantees/via-proxy.js";
import { eventually } from "../support/eventually.js";
import { startCourseWorker } from "./course-worker.js";
import { openScene } from "./scene.js";
import { watchPace } from "./watch-pace.js";
import { risen } from "./workers/risen.js";

const windowMs = 500;
/** The broker drops a client that is silent for two beats; a relay that is silent for a lease loses it. */
const brokerGivesUpMs = 6_000;
const options = { windowMs, relay: { leaseMs: 1_000, pollMs: 100 } };

/** A stage whose database writes a journal, and a consumer that listens from the beginning. */
async function openJournaledStage(): Promise<Stage & { readonly outside: Listener }> {
  const stage = await openStage();
  await keepJournal(stage.db);
  const outside = await listen(stage);
  const close = async () => {
    await outside.close();
    await stage.close();
  };
  return { ...stage, outside, close, [Symbol.asyncDispose]: close };
}

function withHeartbeat(stage: Stage): Stage["address"] {
  return { ...stage.address, rabbitmqUrl: `${stage.address.rabbitmqUrl}?heartbeat=2` };
}

async function end(...puppets: readonly Puppet[]): Promise<void> {
  for (const puppet of puppets) {
    await puppet.call("close");
    puppet.send({ id: -1, name: "letGo", args: [] });
    await puppet.exit;
  }
}

/** Nothing decreased, every transition has its one event, and all of them arrived, first arrivals in order per job. */
async function expectAllTold(stage: Stage & { readonly outside: Listener }): Promise<void> {
  // What a worker sent before it was killed may be committed a moment after its end.
  await eventually(async () => expect(stage.outside.firstArrivals()).toEqual(await storedEvents(stage)));
  expect(await faultsIn(stage.db)).toEqual(noFaults);
}

/** The ids of each job's events, as they were committed. */
async function storedEvents({ db }: Stage): Promise<ReadonlyMap<string, readonly string[]>> {
  const stored = new Map<string, string[]>();
  for (const { job_id, event_id } of await journaledEvents(db)) {
    stored.set(job_id, [...(stored.get(job_id) ?? []), event_id]);
  }
  return stored;
}

/** What has arrived may still wait for its confirm: only what has left the outbox is confirmed. */
async function expectAllConfirmed(stage: Stage): Promise<void> {
  await eventually(async () => expect(await eventsWaiting(stage.db)).toBe(0));
}

test.each([1, 2, 3])("SIGKILL, run %i: of each job at most what the last window held is lost", async () => {
  await using scene = await openScene();
  const jobIds = [...scene.steadyJobIds, ...scene.passingJobIds].slice(0, 200);
  const epoch = Date.now();
  const worker = await startCourseWorker(scene.workerAddress, { steadyJobIds: jobIds, epoch, options });
  await using pace = watchPace(scene, [worker]);
  await worker.last(1_500 + Math.random() * windowMs);
  const killedAt = Date.now() - epoch;
  worker.process.kill("SIGKILL");
  await Promise.all([pace.stop(), worker.process.exit]);
  const endedAt = Date.now() - epoch;
  // What a write under way takes, and how much longer where the machine is slow.
  const writeMs = 500 + pace.longestMs;
  const { rows } = await scene.stage.db.query<{ least: number; most: number }>(
    "select min(progress)::int as least, max(progress)::int as most from worker_progress_jobs where id::text = any($1)",
    [jobIds],
  );
  expect(rows[0]?.least).toBeGreaterThanOrEqual(Math.floor(risen(killedAt - windowMs - writeMs)));
  expect(rows[0]?.most).toBeLessThanOrEqual(risen(endedAt));
  expect(await faultsIn(scene.stage.db)).toEqual(noFaults);
});

test("SIGTERM during a flush: each write is stored with its event or not at all", async () => {
  await using stage = await openJournaledStage();
  await using network = await disposable(viaProxy(stage.address.databaseUrl));
  const puppet = await startPuppet({ ...stage.address, databaseUrl: network.url }, options);
  const jobIds = await stage.jobs(20);
  for (const jobId of jobIds) await puppet.call("startJob", jobId);
  for (const jobId of jobIds) puppet.send({ id: -1, name: "progress", args: [jobId, 30] });
  network.delay(100);
  puppet.send({ id: -2, name: "flush", args: [] });
  await eventually(async () => expect((await journaledChanges(stage.db)).length).toBeGreaterThan(jobIds.length));
  puppet.kill("SIGTERM");
  expect(await puppet.exit).toMatchObject({ signal: "SIGTERM" });
  const survivor = await startPuppet(stage.address, options);
  await expectAllTold(stage);
  await end(survivor);
});

test("an event loop blocked for 10 s: others relay meanwhile, and the newest is stored after it", async () => {
  await using stage = await openJournaledStage();
  const [blocked, other] = [
    await startPuppet(withHeartbeat(stage), options),
    await startPuppet(stage.address, options),
  ];
  const [jobId, otherJobId] = (await stage.jobs(2)) as [string, string];
  await blocked.call("startJob", jobId);
  await blocked.job("progress", 10);
  blocked.send({ id: -1, name: "job", args: ["progress", 40] });
  const work = blocked.call("block", 10_000);

  await other.call("startJob", otherJobId);
  await other.job("complete");
  await eventually(() => expect(statuses(stage, otherJobId)).toContain("completed"));
  expect(await other.call("findStalled", { olderThanMs: 60_000 })).toEqual([]);
  const stalled = () => other.call("findStalled", { olderThanMs: 5_000 });
  await eventually(async () => expect(await stalled()).toMatchObject([{ id: Number(jobId) }]));

  await work;
  await eventually(async () => expect(await stage.row(jobId)).toMatchObject({ progress: 40 }));
  expect(await blocked.job("forceProgress", 60)).toMatchObject({ outcome: "written" });
  await blocked.job("complete");
  await expectAllTold(stage);
  await end(blocked, other);
});

test("a process paused beyond its lease and its connection: others send what it had not had confirmed, and it changes nothing", async () => {
  await using stage = await openJournaledStage();
  await using network = await disposable(viaProxy(withHeartbeat(stage).rabbitmqUrl as string));
  const zombie = await startPuppet({ ...stage.address, rabbitmqUrl: network.url }, options);
  const jobId = await stage.job();
  await zombie.call("startJob", jobId);
  await zombie.job("progress", 10);
  await expectAllTold(stage);
  await expectAllConfirmed(stage);
  network.dropReplies();
  await zombie.job("forceProgress", 55);
  const unconfirmed = (await journaledEvents(stage.db, jobId)).at(-1)?.event_id;
  const arrivals = () => stage.outside.deliveries.filter(({ messageId }) => messageId === unconfirmed).length;
  await eventually(() => expect(arrivals()).toBe(1));
  zombie.kill("SIGSTOP");
  const pausedAt = performance.now();

  const successor = await startPuppet(stage.address, options);
  await eventually(() => expect(arrivals()).toBe(2));
  await successor.call("startJob", jobId);
  await successor.job("progress", 20);
  await network.accept();
  await eventually(() => expect(performance.now() - pausedAt).toBeGreaterThan(brokerGivesUpMs));
  zombie.kill("SIGCONT");
  expect(await zombie.job("forceProgress", 90)).toMatchObject({
    outcome: "rejected",
    error: { code: "STALE_ATTEMPT" },
  });
  await expect(zombie.job("complete")).rejects.toMatchObject({ code: "STALE_ATTEMPT" });
  expect(await stage.row(jobId)).toMatchObject({ status: "running", progress: 20, attempts: 2 });
  await successor.job("complete");
  await expectAllTold(stage);
  await end(zombie, successor);
});

describe("a wall clock that jumps an hour", () => {
  test.each([
    ["forwards", 3_600_000],
    ["back", -3_600_000],
  ])("%s leaves windows, order and ids as they are", async (_, jumpMs) => {
    await using stage = await openJournaledStage();
    await using network = await disposable(viaProxy(stage.address.rabbitmqUrl as string));
    // Long enough for all that is to happen within a window.
    const windowMs = 3_000;
    const puppet = await startPuppet({ ...stage.address, rabbitmqUrl: network.url }, { ...options, windowMs });
    const jobId = await stage.job();
    // What waits is read in one go, in an order that is not the clock's.
    await network.refuse();
    await puppet.call("startJob", jobId);
    // The window begins before its write, by as much as that takes.
    const { rows } = await stage.db.query<{ asked: Date }>("select clock_timestamp() as asked");
    await puppet.job("progress", 10);
    await puppet.call("jumpClock", jumpMs);
    expect(await puppet.job("progress", 30)).toEqual({ outcome: "coalesced" });
    await eventually(async () => expect(await stage.row(jobId)).toMatchObject({ progress: 30 }));
    await puppet.job("progress", 60);
    await puppet.job("complete");

    const thirty = (await journaledChanges(stage.db, jobId)).find(({ new_progress }) => new_progress === 30);
    expect(Number(thirty?.at) - Number(rows[0]?.asked)).toBeGreaterThanOrEqual(windowMs - 50);
    await network.accept();
    await expectAllTold(stage);
    await end(puppet);
  });

  test("back makes a job look stalled to the others, until its worker's next sign of life by a right clock", async () => {
    await using stage = await openJournaledStage();
    const [behind, other] = [await startPuppet(stage.address, options), await startPuppet(stage.address, options)];
    const jobId = await stage.job();
    await behind.call("jumpClock", -3_600_000);
    await behind.call("startJob", jobId);
    const stalled = () => other.call("findStalled", { olderThanMs: 60_000 });
    expect(await stalled()).toHaveLength(1);
    await behind.call("jumpClock", 3_600_000);
    await behind.job("forceProgress", 10);
    expect(await stalled()).toHaveLength(0);
    await end(behind, other);
  });
});

function statuses(stage: { readonly outside: Listener }, jobId: string): readonly string[] {
  return stage.outside.deliveries
    .filter(({ payload }) => String(payload.job_id) === jobId)
    .map(({ payload }) => payload.status);
}

async function disposable<T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T & AsyncDisposable> {
  const opened = await opening;
  return Object.assign(opened, { [Symbol.asyncDispose]: () => opened.close() });
}
