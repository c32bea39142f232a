import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createProgressReporter } from "worker-progress";
import { journaledEvents, keepJournal } from "../guarantees/journal.js";
import { listen } from "../guarantees/listener.js";
import { openStage } from "../guarantees/stage.js";
import { optionsOn } from "../guarantees/stage-address.js";
import { eventually } from "../support/eventually.js";

const page = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");
const statement = /^delete from worker_progress_outbox.*$/m.exec(page)?.[0] as string;

test("the documented statement removes old events only, and the relay sends the others in order", async () => {
  await using stage = await openStage({ redisUrl: null });
  await using listener = await listen(stage);
  await keepJournal(stage.db);
  const [old, recent] = [await stage.jobs(50), await stage.jobs(50)];
  const quiet = optionsOn(stage.address, { log: { warn() {} } });
  await using unrelayed = createProgressReporter(stage.address.databaseUrl, null, null, quiet);
  await Promise.all(old.map((id) => unrelayed.startJob(id)));
  await stage.db.query("update worker_progress_outbox set created_at = now() - interval '31 days'");
  await Promise.all(recent.map((id) => unrelayed.startJob(id)));
  expect((await unrelayed.health()).outbox?.waiting).toBe(100);

  expect((await stage.db.query(statement)).rowCount).toBe(50);
  await using relaying = createProgressReporter(stage.address.databaseUrl, null, stage.address.rabbitmqUrl, quiet);
  const ended = Promise.all(recent.map((id) => relaying.completeJob(id)));
  for (let i = 0; i < 10; i++) await stage.db.query(statement);
  await ended;
  await eventually(() => expect(listener.deliveries.length).toBe(100));

  const sent = (await journaledEvents(stage.db)).filter(({ job_id }) => recent.includes(job_id));
  for (const id of recent) {
    expect(listener.firstArrivals().get(id)).toEqual(
      sent.filter(({ job_id }) => job_id === id).map(({ event_id }) => event_id),
    );
  }
  // An event leaves the outbox when its confirm has come, which may be after its arrival.
  await eventually(async () => expect((await relaying.health()).outbox).toEqual({ waiting: 0, oldestAt: null }));
});
