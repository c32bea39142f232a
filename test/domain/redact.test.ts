import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { eventType, type JobEvent, type JobEventPayload } from "../../src/domain/event.js";
import { redaction } from "../../src/domain/redact.js";

const event = (texts: Partial<JobEventPayload>): JobEvent => ({
  id: "0198c5a0-0000-7000-8000-000000000000",
  jobId: "1",
  payload: {
    event_id: "0198c5a0-0000-7000-8000-000000000000",
    event_type: eventType,
    timestamp: "2024-01-20T10:30:00.000Z",
    job_id: 1,
    status: "failed",
    progress: 50,
    attempt: 1,
    previous_status: "running",
    previous_progress: 50,
    step: null,
    message: null,
    ...texts,
  },
});
const messageOf = (names: readonly string[], message: string) => redaction(names)(event({ message })).payload.message;

describe("a value in a text is replaced", () => {
  test.each([
    ["token=abc and more", "token=[redacted] and more"],
    ["?user=me&token=abc&page=2", "?user=me&token=[redacted]&page=2"],
    ["Token: Bearer abc def", "Token: [redacted]"],
    ["Token: abc, retry later", "Token: [redacted], retry later"],
    ["token: abc\nnext line", "token: [redacted]\nnext line"],
    ['{"token":"a \\"quoted\\" b","page":2}', '{"token":[redacted],"page":2}'],
    ["{'token': 'abc', 'page': 2}", "{'token': [redacted], 'page': 2}"],
    ['{"token":12345}', '{"token":[redacted]}'],
    ['token="never closed', "token=[redacted]"],
    ["token = abc", "token = [redacted]"],
    ["API-Key=abc api-key: def", "API-Key=[redacted] api-key: [redacted]"],
    ["a.b=1 axb=2", "a.b=[redacted] axb=2"],
  ])("%j", (text, expected) => {
    expect(messageOf(["token", "api-key", "a.b"], text)).toBe(expected);
  });
});

describe("is left alone:", () => {
  test.each(["a token of thanks", "tokens=5", "mytoken=abc", "step_token=abc", "token", "token ", "10 of 100 frames"])(
    "%j",
    (text) => {
      expect(messageOf(["token"], text)).toBe(text);
    },
  );

  test("an event of a reporter that names nothing, which is the very same object", () => {
    const told = event({ message: "token=abc" });
    expect(redaction([])(told)).toBe(told);
  });
});

test("a field of that name is replaced as a whole, the others keep theirs", () => {
  const texts = { step: "load", message: "secret", error_code: "E1", error_message: "why" };
  const { payload } = redaction(["MESSAGE", "error_code"])(event(texts));
  expect(payload).toEqual({ ...event(texts).payload, message: "[redacted]", error_code: "[redacted]" });
});

test("what is absent stays absent and null stays null", () => {
  const told = event({});
  expect(redaction(["step", "message", "error_code", "token"])(told)).toEqual(told);
});

test("no value survives behind its name, whatever stands around it", () => {
  const value = fc.stringMatching(/^[a-z0-9]{8,20}$/).map((text) => `s3cr3t${text}`);
  const around = fc.string({ maxLength: 30 }).map((text) => text.replaceAll("s3cr3t", ""));
  const form = fc.constantFrom<(value: string) => string>(
    (text) => `password=${text}`,
    (text) => `PassWord: ${text}`,
    (text) => `"password":"${text}"`,
    (text) => `'password' = '${text}'`,
  );
  fc.assert(
    fc.property(around, form, value, around, (before, write, secret, after) => {
      expect(messageOf(["password"], `${before} ${write(secret)} ${after}`)).not.toContain("s3cr3t");
    }),
  );
});

test("64 kB made to be slow take no longer than 64 kB of anything", () => {
  const hostile = [
    "token ".repeat(11_000),
    `token${" ".repeat(64_000)}`,
    `token="${"\\".repeat(64_000)}`,
    "token=".repeat(11_000),
  ];
  for (const text of hostile) {
    const tookMs = () => {
      const began = performance.now();
      messageOf(["token"], text);
      return performance.now() - began;
    };
    // What is slow by itself is slow each time, a machine that is busy is not.
    expect(Math.min(tookMs(), tookMs(), tookMs())).toBeLessThan(200);
  }
});
