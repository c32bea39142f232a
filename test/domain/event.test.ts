import { describe, expect, test } from "vitest";
import { eventOf, eventType } from "../../src/domain/event.js";
import { at, job } from "./sample-job.js";

const id = "0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7b";
const queued = job({ status: "queued", progress: 0, attempt: 1, step: null, message: null });
const halfway = { status: "running", progress: 50, attempt: 1 } as const;

describe("an event", () => {
  test("its payload has the documented names, values and order", () => {
    const set = { step: "processing", message: "Processing data", updatedAt: at };
    const event = eventOf(id, "bigint", queued, halfway, set);
    expect(JSON.stringify(event.payload)).toBe(
      JSON.stringify({
        event_id: id,
        event_type: "job.status.changed",
        timestamp: "2024-01-20T10:30:00.000Z",
        job_id: 123,
        status: "running",
        progress: 50,
        attempt: 1,
        previous_status: "queued",
        previous_progress: 0,
        step: "processing",
        message: "Processing data",
      }),
    );
    expect(event).toMatchObject({ id, jobId: "123" });
    expect(eventType).toBe("job.status.changed");
  });

  test("a failure says why", () => {
    const set = { errorCode: "ERR_001", errorMessage: "Something went wrong", finishedAt: at, updatedAt: at };
    const { payload } = eventOf(id, "bigint", job(), { ...halfway, status: "failed" }, set);
    expect(payload).toMatchObject({ error_code: "ERR_001", error_message: "Something went wrong" });
  });

  test("an error of the attempt before is not told again", () => {
    const failed = job({ status: "failed", errorCode: "ERR_001", errorMessage: "Something went wrong" });
    const cleared = { errorCode: null, errorMessage: null, updatedAt: at };
    for (const set of [cleared, { updatedAt: at }]) {
      const { payload } = eventOf(id, "bigint", failed, halfway, set);
      expect(Object.keys(payload).filter((key) => key.startsWith("error"))).toEqual([]);
    }
  });

  test("step and message are what is stored afterwards", () => {
    const told = (set: { step?: string | null; message?: string | null }) => {
      const { step, message } = eventOf(id, "bigint", job(), halfway, { ...set, updatedAt: at }).payload;
      return { step, message };
    };
    expect(told({})).toEqual({ step: "slicing", message: "Slicing" });
    expect(told({ step: "meshing" })).toEqual({ step: "meshing", message: "Slicing" });
    expect(told({ step: null, message: null })).toEqual({ step: null, message: null });
  });

  test("a job id that JavaScript cannot hold as a number is a string", () => {
    const large = { ...queued, id: "9007199254740993" };
    expect(eventOf(id, "bigint", large, halfway, { updatedAt: at }).payload.job_id).toBe("9007199254740993");
    expect(eventOf(id, "text", queued, halfway, { updatedAt: at }).payload.job_id).toBe("123");
  });

  test("the time has milliseconds", () => {
    const { payload } = eventOf(id, "bigint", queued, halfway, { updatedAt: at + 7 });
    expect(payload.timestamp).toBe("2024-01-20T10:30:00.007Z");
  });
});
