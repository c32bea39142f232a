import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { eventDocuments } from "../../docs/schema/event-documents.js";
import { eventMessage } from "../../src/adapters/rabbitmq/event-message.js";
import { newEvent } from "../adapters/new-event.js";

const committed = (name: string) => readFileSync(join(import.meta.dirname, "../../docs/schema", name), "utf8");

test.each(Object.entries(eventDocuments()))(
  "docs/schema/%s is what is generated (npm run docs:generate)",
  (name, text) => {
    expect(committed(name)).toBe(text);
  },
);

describe("the JSON Schema on disk, read by a validator of its own,", () => {
  const validator = (name: string) => z.fromJSONSchema(JSON.parse(committed(name)));
  const body = (format: Parameters<typeof eventMessage>[1], event = newEvent()) =>
    JSON.parse(eventMessage(event, format).content.toString());
  const cloudEvents = { cloudEvents: { source: "/workers/cad" } };

  test("takes the events that the publisher writes", () => {
    const failed = newEvent({ status: "failed", error_code: "ERR_001", step: null, job_id: "a" });
    expect(validator("job-event.schema.json").safeParse(body("plain")).success).toBe(true);
    expect(validator("job-event.schema.json").safeParse(body("plain", failed)).success).toBe(true);
    expect(validator("job-event.cloudevents.schema.json").safeParse(body(cloudEvents)).success).toBe(true);
  });

  test("refuses others", () => {
    for (const wrong of [{ progress: 101 }, { status: "done" }, { job_id: null }, { attempt: 0.5 }]) {
      expect(validator("job-event.schema.json").safeParse({ ...body("plain"), ...wrong }).success).toBe(false);
    }
    const { data: _, ...empty } = body(cloudEvents);
    expect(validator("job-event.cloudevents.schema.json").safeParse(empty).success).toBe(false);
  });
});

test("every reference of the AsyncAPI document leads somewhere in it", () => {
  const document = JSON.parse(committed("job-events.asyncapi.json"));
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path as string);
  expect(references.length).toBeGreaterThan(0);
  for (const path of references) {
    const target = path.split("/").reduce((at, key) => at?.[key], document);
    expect(target, path).toBeTypeOf("object");
  }
  expect(document.asyncapi).toBe("3.0.0");
  expect(document.components.messages.jobEvent.payload.required).toContain("event_id");
});
