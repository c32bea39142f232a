import { expect, test } from "vitest";
import { packMessages } from "../../src/adapters/postgres/notification-payload.js";
import { storedOf } from "../../src/conformance/live-fixtures.js";

const most = 7_999;
const textOf = (length: number) => ({ ...storedOf("job", 1), message: "x".repeat(length) });
const bytesOf = (...messages: readonly object[]) =>
  Buffer.byteLength(`["me",${messages.map((each) => JSON.stringify(each)).join()}]`);

test("a message that fills a payload to the last byte keeps its text, and one of a byte more goes without", () => {
  const whole = textOf(most - bytesOf(textOf(0)));
  expect(packMessages("me", [whole])).toEqual([JSON.stringify(["me", whole])]);
  const longer = { ...whole, message: `${whole.message}x` };
  expect(packMessages("me", [longer])).toEqual([JSON.stringify(["me", { ...longer, message: null }])]);
});

test("messages that fill a payload to the last byte go together, and one of a byte more goes by itself", () => {
  const first = textOf(3_000);
  const second = textOf(most - bytesOf(first, textOf(0)));
  expect(packMessages("me", [first, second])).toEqual([JSON.stringify(["me", first, second])]);
  const longer = { ...second, message: `${second.message}x` };
  expect(packMessages("me", [first, longer])).toEqual([JSON.stringify(["me", first]), JSON.stringify(["me", longer])]);
});

test("nothing is no payload", () => {
  expect(packMessages("me", [])).toEqual([]);
});
