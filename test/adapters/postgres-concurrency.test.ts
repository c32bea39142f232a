import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { postgresStorage } from "../../src/adapters/postgres/index.js";
import { runningAt, waiting, withEvent, write } from "../../src/conformance/storage-fixtures.js";
import type { JobSnapshot } from "../../src/domain/job-snapshot.js";
import type { StorageAdapter } from "../../src/ports/storage.js";
import { quietPool, type ServerDatabase, serverDatabase } from "./postgres-subject.js";

const writers = 16;
const jobCount = 20;
const wantedCommits = 2_500;

let database: ServerDatabase;
beforeAll(async () => {
  database = await serverDatabase();
});
beforeEach(() => database.reset());
afterAll(() => database.drop());

/** Every stored change of progress, in the order in which the row had them. */
const historySql = `
  create table history (n bigint generated always as identity, id text, before integer, after integer);
  create function note() returns trigger language plpgsql as $$ begin
    insert into history (id, before, after) values (new.id::text, old.progress + 1000 * old.attempts, new.progress + 1000 * new.attempts);
    return null;
  end $$;
  create trigger note after update on worker_progress_jobs for each row execute function note();`;

test("16 writers on 20 jobs: no broken chain, no decrease, no duplicate, positions in commit order, no deadlock", async () => {
  const pool = quietPool({ connectionString: database.url, max: writers });
  const storages = Array.from({ length: writers }, () => postgresStorage(pool));
  const [storage] = storages as [StorageAdapter];
  await storage.schema.migrate();
  await database.pool.query(historySql);
  const job = { id: null, type: null, status: "pending", at: 0 } as const;
  const ids = await Promise.all(Array.from({ length: jobCount }, () => storage.create(job)));

  const progressOf = { committed: 0, conflicts: 0 };
  const committedEvents = (await Promise.all(storages.map((writer) => keepWriting(writer, ids, progressOf)))).flat();

  const rows = await waiting(storage);
  expect(rows.map((row) => row.event.id).toSorted()).toEqual(committedEvents.toSorted());
  expect(progressOf.committed).toBeGreaterThanOrEqual(wantedCommits);
  expect(progressOf.conflicts).toBeGreaterThan(100);

  const { rows: history } = await pool.query("select id, before, after from history order by n");
  for (const id of ids) {
    const changes = history.filter((change) => change.id === id);
    const events = rows.filter((row) => row.event.jobId === id).map((row) => row.event.payload);
    expect(events.map((event) => event.progress + 1000 * event.attempt)).toEqual(changes.map((change) => change.after));
    expect(events.map((event) => event.previous_progress)).toEqual(changes.map((change) => change.before % 1000));
    expect(changes.every((change) => change.after > change.before)).toBe(true);
    expect(changes.slice(1).map((change) => change.before)).toEqual(changes.slice(0, -1).map((change) => change.after));
  }
  const { rows: stats } = await pool.query(
    "select deadlocks::int from pg_stat_database where datname = current_database()",
  );
  expect(stats).toEqual([{ deadlocks: 0 }]);
  await pool.end();
});

/** Raises random jobs in random order until enough is committed; answers the ids of the events that were. */
async function keepWriting(
  storage: StorageAdapter,
  ids: readonly string[],
  total: { committed: number; conflicts: number },
): Promise<string[]> {
  const events: string[] = [];
  while (total.committed < wantedCommits) {
    const jobs = shuffled(await storage.load(shuffled(ids).slice(0, 1 + Math.floor(Math.random() * ids.length))));
    const writes = await Promise.all(jobs.map((job) => withEvent(storage, write(job, raised(job)))));
    for (const [index, outcome] of (await storage.commit(writes)).entries()) {
      if (outcome.kind === "committed") events.push(writes[index]?.event?.id ?? "");
      total[outcome.kind === "committed" ? "committed" : "conflicts"]++;
    }
  }
  return events;
}

function raised({ progress, attempt }: JobSnapshot) {
  return progress >= 100 || attempt === 0 ? runningAt(0, attempt + 1) : runningAt(progress + 1, attempt);
}

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, rank: Math.random() }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ value }) => value);
}
