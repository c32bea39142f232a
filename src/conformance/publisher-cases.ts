import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { WorkerProgressError } from "../domain/errors.js";
import type { JobEvent, JobEventPayload } from "../domain/event.js";
import type { PublisherCase } from "./publisher-under-test.js";

/** What the port promises of `setup` and `publish`. */
export const publishCases: readonly PublisherCase[] = [
  {
    name: "answers confirmed for each event and delivers the payload unchanged",
    body: async ({ publisher, listen, received }) => {
      await publisher.setup();
      await listen();
      const events = [event(), event(unusual), event(failure)];
      assert.deepEqual(await publisher.publish(events), ["confirmed", "confirmed", "confirmed"]);
      assert.deepEqual(await received(3), delivered(events));
    },
  },
  {
    name: "delivers in the order of the events and of the calls, however many calls are under way",
    body: async ({ publisher, listen, received }) => {
      await publisher.setup();
      await listen();
      const batches = Array.from({ length: 20 }, (_, batch) =>
        Array.from({ length: 1 + (batch % 7) }, () => event({ progress: batch })),
      );
      const outcomes = await Promise.all(batches.map((batch) => publisher.publish(batch)));
      assert.deepEqual(
        outcomes.map((each) => each.length),
        batches.map((batch) => batch.length),
      );
      const all = batches.flat();
      assert.deepEqual(await received(all.length), delivered(all));
    },
  },
  {
    name: "publishes without a setup before",
    body: async ({ publisher }) => {
      assert.equal((await publisher.publish([event()])).length, 1);
    },
  },
  {
    name: "can be set up again and by several callers at once",
    body: async ({ publisher, listen, received }) => {
      await Promise.all([publisher.setup(), publisher.setup(), publisher.setup()]);
      await listen();
      await publisher.setup();
      const events = [event()];
      await publisher.publish(events);
      assert.deepEqual(await received(1), delivered(events));
    },
  },
  {
    name: "answers unroutable while nobody listens, and confirmed from then on",
    body: async ({ publisher, listen, received }) => {
      assert.deepEqual(await publisher.publish([event(), event()]), ["unroutable", "unroutable"]);
      await listen();
      const events = [event()];
      assert.deepEqual(await publisher.publish(events), ["confirmed"]);
      assert.deepEqual(await received(1), delivered(events));
    },
  },
  {
    name: "answers nothing for no events",
    body: async ({ publisher }) => assert.deepEqual(await publisher.publish([]), []),
  },
  {
    name: "sends an event again with the same id and payload",
    body: async ({ publisher, listen, received }) => {
      await publisher.setup();
      await listen();
      const again = event();
      await publisher.publish([again]);
      await publisher.publish([again]);
      assert.deepEqual(await received(2), delivered([again, again]));
    },
  },
];

/** What the port promises of `close`. */
export const closeCases: readonly PublisherCase[] = [
  {
    name: "closes twice, at once, and before it was used",
    body: async ({ publisher }) => {
      await Promise.all([publisher.close(), publisher.close()]);
      await publisher.close();
    },
  },
  {
    name: "refuses to publish and to be set up once closed",
    body: async ({ publisher }) => {
      await publisher.publish([event()]);
      await publisher.close();
      await assert.rejects(publisher.publish([event()]), WorkerProgressError);
      await assert.rejects(publisher.setup(), WorkerProgressError);
    },
  },
];

const unusual: Partial<JobEventPayload> = {
  job_id: "9007199254740993",
  step: null,
  message: `"quoted", {braced}, back\\slash, new\nline, ümlaut, 進捗, 🧊, \u2028`,
  progress: 99.5,
};

const failure: Partial<JobEventPayload> = { status: "failed", error_code: "ERR_001", error_message: "Out of memory" };

function event(values: Partial<JobEventPayload> = {}): JobEvent {
  const id = randomUUID();
  const payload: JobEventPayload = {
    event_id: id,
    event_type: "job.status.changed",
    timestamp: "2024-01-20T10:30:00.123Z",
    job_id: 123,
    status: "running",
    progress: 50,
    attempt: 1,
    previous_status: "queued",
    previous_progress: 0,
    step: "processing",
    message: "Processing data",
    ...values,
  };
  return { id, jobId: String(payload.job_id), payload };
}

function delivered(events: readonly JobEvent[]) {
  return events.map(({ id, payload }) => ({ id, payload }));
}
