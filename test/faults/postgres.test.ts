import { afterAll, beforeAll, expect, test } from "vitest";
import { journaledChanges } from "../guarantees/journal.js";
import type { Stage } from "../guarantees/stage.js";
import { eventually } from "../support/eventually.js";
import { type PrivateServer, privatePostgres } from "../support/servers.js";
import { expectPromisesKept, type FaultCourse, type FaultPlan, runFaultCourse } from "./fault-course.js";
import { type ForeignSession, openForeignSession } from "./foreign-session.js";
import { diskOfTheOutbox, type FullDisk } from "./full-disk.js";
import type { Scene } from "./scene.js";

let own: PrivateServer;

beforeAll(async () => {
  own = await privatePostgres();
});

afterAll(() => own.stop());

/** So that a second of it is an outage. */
const impatient = { storageTimeoutMs: 800, changeTimeoutMs: 500, postgres: { statementTimeoutMs: 1_000 } };

function run(plan: Omit<FaultPlan, "server">): Promise<FaultCourse> {
  const options = { ...impatient, ...plan.task?.options };
  return runFaultCourse({ server: "PostgreSQL", ...plan, task: { ...plan.task, options } });
}

const noticed = {
  away: "The storage is away: progress is kept in memory and tried again",
  back: "The storage is back: what was kept is being written",
};

/** A row that somebody else holds is no outage, however slow the machine, and a change outlasts every cut. */
const patient = { storageTimeoutMs: 10_000, changeTimeoutMs: 10_000, postgres: { statementTimeoutMs: 20_000 } };
/** Nor does a statement give up waiting for a row while the test has something to do first. */
const steadfast = { ...patient, postgres: { ...patient.postgres, lockTimeoutMs: 15_000 } };

// A change whose answer was lost may have landed: trying it again finds the job finished.
const expected: ReadonlySet<string> = new Set([
  "written",
  "coalesced",
  "deferred STORAGE_UNAVAILABLE",
  "rejected JOB_FINISHED",
  "stored",
  "rejected STORAGE_UNAVAILABLE",
]);

/** No progress is refused, and changes are stored or reject with the one code. */
function expectNothingRefused(course: FaultCourse): void {
  expectPromisesKept(course);
  const { outcomes, changes } = course.worker.seen.fault;
  expect([...Object.keys(outcomes), ...Object.keys(changes)].filter((name) => !expected.has(name))).toEqual([]);
}

/** The storage is away for the worker, because of one of these causes. */
function expectDeferred(course: FaultCourse, ...possible: readonly string[]): void {
  expectNothingRefused(course);
  const { outcomes, causes } = course.worker.seen.fault;
  expect(outcomes["deferred STORAGE_UNAVAILABLE"]).toBeGreaterThan(0);
  expect(Object.keys(causes).filter((cause) => possible.includes(cause))).not.toEqual([]);
}

/** No change rejects, not even as one that had landed. */
function expectAllChangesStored({ worker }: FaultCourse): void {
  expect(Object.keys(worker.seen.fault.changes)).toEqual(["stored"]);
}

test("refused: progress is deferred and changes reject, until the newest lands", async () => {
  const course = await run({
    fault: "refused",
    // A server that is only slow is not away.
    task: { options: { storageTimeoutMs: patient.storageTimeoutMs } },
    inject: ({ network }) => network.databaseUrl.refuse(),
    heal: ({ network }) => network.databaseUrl.accept(),
    noticed,
  });
  expectDeferred(course, "ECONNREFUSED");
  const said = course.warnings.filter((warning) => warning.startsWith("The storage"));
  expect(said).toEqual([noticed.away, noticed.back]);
});

test("killed and started again: what was committed is there, the newest follows", async () => {
  const course = await run({
    fault: "killed and started again",
    instead: { databaseUrl: own.url },
    inject: () => own.kill(),
    heal: () => own.restart(),
    noticed,
  });
  expectDeferred(course, "ECONNREFUSED", "ECONNRESET", "Connection terminated unexpectedly");
});

test("cut before the statement arrives: nothing of it is stored, and it is made again", async () => {
  const course = await run({
    fault: "connection cut before COMMIT",
    task: { options: patient },
    holdMs: 0,
    inject: (scene) =>
      inRounds(3, async () => {
        const { databaseUrl } = scene.network;
        await eventually(async () => {
          databaseUrl.blackhole();
          try {
            // Not when a job has to be read first: what is to be written of it waits for the answer.
            await untilCommitsHeld(scene, 200);
            databaseUrl.cut();
          } finally {
            await databaseUrl.accept();
          }
        });
        await untilChanged(scene);
      }),
    heal: () => {},
  });
  expectDeferred(course, "ECONNRESET", "Connection terminated unexpectedly");
  expectAllChangesStored(course);
});

test("cut after COMMIT, before its answer: it is recognised as stored and has one event", async () => {
  const course = await run({
    fault: "connection cut after COMMIT, before its answer",
    task: { options: steadfast },
    holdMs: 0,
    async inject(scene) {
      await inRounds(3, async () => {
        const { databaseUrl } = scene.network;
        await eventually(async () => {
          await untilChanged(scene);
          databaseUrl.dropReplies();
          try {
            // Not when no connection was free: none can be opened now.
            await untilChanged(scene, 500);
          } finally {
            databaseUrl.cut();
            await databaseUrl.accept();
          }
        });
        await untilChanged(scene);
      });
      await loseAnswerOfStart(scene);
    },
    async heal({ stage }) {
      // A start that had landed was not made again.
      expect((await stage.db.query("select id from worker_progress_jobs where attempts > 1")).rows).toEqual([]);
    },
  });
  expectDeferred(course, "ECONNRESET", "Connection terminated unexpectedly");
  expectAllChangesStored(course);
});

test("deadlock: the batch that is its victim is written again", async () => {
  const course = await run({
    fault: "deadlock",
    instead: { databaseUrl: own.url },
    // Time for the other session to close the ring: PostgreSQL looks once, when the wait has lasted so long.
    sessionSettings: { deadlock_timeout: "500ms" },
    task: { options: patient },
    holdMs: 0,
    async inject({ stage, steadyJobIds }) {
      const [first, last] = [steadyJobIds[0] as string, steadyJobIds.at(-1) as string];
      await eventually(async () => {
        await using foreign = await openForeignSession(stage.address.databaseUrl);
        await foreign.lock(last);
        await foreign.untilWaitedFor();
        await foreign.lock(first);
        await foreign.commit();
        const { rows } = await stage.db.query(
          "select from pg_stat_database where datname = current_database() and deadlocks > 0",
        );
        expect(rows.length).toBe(1);
      });
    },
    heal: () => {},
  });
  expectNothingRefused(course);
  expect(course.warnings.filter((warning) => warning.includes("storage"))).toEqual([]);
});

test("serialization failure: the batch is written again", async () => {
  const course = await run({
    fault: "serialization failure",
    sessionSettings: { default_transaction_isolation: "serializable" },
    task: { options: patient },
    holdMs: 0,
    inject: ({ stage, steadyJobIds }) =>
      inRounds(3, async () => {
        await using foreign = await openForeignSession(stage.address.databaseUrl);
        await foreign.touch(steadyJobIds[0] as string);
        await foreign.untilWaitedFor();
        await foreign.commit();
      }),
    heal: () => {},
  });
  expectNothingRefused(course);
});

test("statement timeout of the server, on a locked row: all else is written meanwhile", async () => {
  await using opened = new AsyncDisposableStack();
  let foreign: ForeignSession;
  const course = await run({
    fault: "statement timeout on a locked row",
    // Less than the library waits for a row, and time for a statement that waits for none on a machine that is busy.
    sessionSettings: { statement_timeout: "1s" },
    task: { options: patient },
    async inject({ stage, steadyJobIds }) {
      const [locked, other] = steadyJobIds as [string, string];
      foreign = opened.use(await openForeignSession(stage.address.databaseUrl));
      await foreign.lock(locked);
      await foreign.untilWaitedFor();
      const messages = new Set<string | null>();
      await eventually(async () => {
        messages.add((await stage.row(other)).message);
        expect(messages.size).toBe(3);
      });
    },
    heal: () => foreign.commit(),
  });
  expectNothingRefused(course);
  expect(course.warnings.filter((warning) => warning.includes("storage"))).toEqual([]);
});

test("pool exhausted: nobody waits longer than the storage is given", async () => {
  const course = await run({
    fault: "the caller's pool exhausted",
    task: { ownPool: { max: 2, connectionTimeoutMillis: 0 }, options: { storageTimeoutMs: 300 } },
    holdMs: 3_500,
    inject: (_, worker) => worker.takeConnections(true),
    heal: (_, worker) => worker.takeConnections(false),
    noticed,
  });
  expectDeferred(course, "STORAGE_UNAVAILABLE");
  const { longestAwaitedMs, longestChangeMs } = course.worker.seen.fault;
  expect(longestAwaitedMs).toBeLessThan(300 + 1_000 + course.longestTurnMs);
  // The last try of a change begins when the pause of a second at most is over that its deadline falls into.
  expect(longestChangeMs).toBeLessThan(impatient.changeTimeoutMs + 1_000 + 300 + 700 + course.longestTurnMs);
});

test("read only: progress is deferred until the server takes writes again", async () => {
  const course = await run({
    fault: "read only",
    instead: { databaseUrl: own.url },
    inject: ({ stage }) => setReadOnly(stage, "on"),
    heal: ({ stage }) => setReadOnly(stage, "off"),
    noticed,
  });
  expectDeferred(course, "25006");
});

test("disk full under the outbox: no change without its event, and none lost", async () => {
  await using opened = new AsyncDisposableStack();
  const disks: FullDisk[] = [];
  const course = await run({
    fault: "disk full under the outbox",
    instead: { databaseUrl: own.url },
    async inject({ stage, network }) {
      const disk = opened.use(await diskOfTheOutbox(stage.db));
      disks.push(disk);
      console.log(`the disk is full by ${disk.by}`);
      // What is not delivered takes space.
      await network.rabbitmqUrl.refuse();
      await disk.fill();
    },
    async heal({ network }) {
      await disks[0]?.free();
      await network.rabbitmqUrl.accept();
    },
    noticed,
  });
  expectNothingRefused(course);
  expect(Object.keys(course.worker.seen.fault.causes)).toContain("53100");
});

async function inRounds(rounds: number, round: () => Promise<void>): Promise<void> {
  for (let i = 0; i < rounds; i++) await round();
}

/** Waits until two commits are under way that the network keeps back, as a rule of a change and of progress: one alone is shorter. */
async function untilCommitsHeld({ network }: Scene, timeoutMs: number): Promise<void> {
  await eventually(() => expect(network.databaseUrl.held).toBeGreaterThan(3_000), { timeoutMs });
}

async function untilChanged({ stage }: Scene, timeoutMs = 10_000): Promise<void> {
  const changes = async () => (await journaledChanges(stage.db)).length;
  const before = await changes();
  await eventually(async () => expect(await changes()).toBeGreaterThan(before), { timeoutMs });
}

/** Holds a start until nobody hears its answer: it reads its job first, so replies must not be lost before. */
async function loseAnswerOfStart({ stage, network }: Scene): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const { foreign, id } = await eventually(async () => {
    // Not the next to be begun: its start may be under way.
    const { rows } = await stage.db.query<{ id: string }>(
      "select id::text from worker_progress_jobs where attempts = 0 order by worker_progress_jobs.id offset 1 limit 1",
    );
    const [{ id }] = rows as [{ id: string }];
    await using session = new AsyncDisposableStack();
    const foreign = session.use(await openForeignSession(stage.address.databaseUrl));
    await foreign.lock(id);
    // Whoever was held up meanwhile has locked one that is begun.
    expect(await stage.row(id)).toMatchObject({ attempts: 0 });
    opened.use(session.move());
    return { foreign, id };
  });
  await foreign.untilWaitedFor();
  network.databaseUrl.dropReplies();
  await foreign.commit();
  await eventually(async () => expect(await stage.row(id)).toMatchObject({ status: "running" }));
  network.databaseUrl.cut();
  await network.databaseUrl.accept();
  await eventually(async () => expect(await stage.row(id)).not.toMatchObject({ status: "running" }));
}

/** As a standby is, or a server that ran out of its quota: for every session, at once. */
async function setReadOnly({ db }: Stage, value: "on" | "off"): Promise<void> {
  await db.query(`alter system set default_transaction_read_only = ${value}`);
  await db.query("select pg_reload_conf()");
  await eventually(async () => {
    const { rows } = await db.query("show default_transaction_read_only");
    expect(rows).toEqual([{ default_transaction_read_only: value }]);
  });
}
