import { expect, expectTypeOf, test } from "vitest";
import type { z } from "zod";
import { eventMessage } from "../../src/adapters/rabbitmq/event-message.js";
import { jobEventSchema } from "../../src/consumer/index.js";
import { readEvent } from "../../src/consumer/read-event.js";
import type { JobEventPayload } from "../../src/domain/event.js";
import { newEvent } from "../adapters/new-event.js";

const { payload } = newEvent();

test("the schema's type is the payload's, in every field", () => {
  expectTypeOf<z.infer<typeof jobEventSchema>>().branded.toEqualTypeOf<JobEventPayload>();
  expectTypeOf<z.input<typeof jobEventSchema>["error_code"]>().toEqualTypeOf<string | undefined>();
});

test.each<Partial<JobEventPayload>>([
  {},
  { job_id: "0190f0a0-0000-7000-8000-000000000001" },
  { job_id: -1, attempt: 0, progress: 0, previous_progress: 0 },
  { step: null, message: null, progress: 99.5 },
  { status: "failed", error_code: "ERR_001", error_message: "Out of memory" },
])("%j is an event", (values) => {
  const event = { ...payload, ...values };
  expect(jobEventSchema.parse(event)).toEqual(event);
});

test("a field that a later version adds is let through and left out", () => {
  expect(jobEventSchema.parse({ ...payload, priority: 3 })).toEqual(payload);
});

test.each<[string, object]>([
  ["event_id", { event_id: "7" }],
  ["event_type", { event_type: "job.deleted" }],
  ["timestamp", { timestamp: "20 January" }],
  ["job_id", { job_id: "" }],
  ["job_id", { job_id: 1.5 }],
  ["status", { status: "Running" }],
  ["progress", { progress: 101 }],
  ["progress", { progress: "50" }],
  ["attempt", { attempt: -1 }],
  ["previous_status", { previous_status: undefined }],
  ["message", { message: undefined }],
  ["error_code", { error_code: null }],
])("a wrong %s is named: %j", (field, values) => {
  const content = Buffer.from(JSON.stringify({ ...payload, ...values }));
  const read = readEvent({ content, properties: {} });
  expect(read).toEqual({ ok: false, problem: expect.stringMatching(new RegExp(`^${field}: `)) });
});

test.each<[string, Buffer, string]>([
  ["half a text", Buffer.from('{"event_id": '), "it is not JSON"],
  ["bytes that are no UTF-8", Buffer.from([0x22, 0xff, 0x22]), "it is not JSON"],
  ["nothing", Buffer.alloc(0), "it is not JSON"],
  ["another value", Buffer.from("null"), "the body: Invalid input: expected object, received null"],
])("%s is no event", (_, content, problem) => {
  expect(readEvent({ content, properties: {} })).toEqual({ ok: false, problem });
});

test("the envelope that the publisher writes is read, also with a character set in its type", () => {
  const { content, properties } = eventMessage(newEvent(), { cloudEvents: { source: "/workers/cad" } });
  const contentType = `${properties.contentType.toUpperCase()}; charset=utf-8`;
  expect(readEvent({ content, properties: { contentType } })).toMatchObject({ ok: true, event: { job_id: 123 } });
});

test.each<[string, object]>([
  ["another version", { specversion: "0.3" }],
  ["another event's id", { id: "0190f0a0-0000-7000-8000-00000000ffff" }],
  ["no data", { data: undefined }],
  ["broken data", { data: { ...payload, progress: -1 } }],
])("an envelope with %s is no event", (_, values) => {
  const { content, properties } = eventMessage(newEvent(), { cloudEvents: { source: "/workers/cad" } });
  const broken = Buffer.from(JSON.stringify({ ...JSON.parse(content.toString()), ...values }));
  expect(readEvent({ content: broken, properties }).ok).toBe(false);
});
