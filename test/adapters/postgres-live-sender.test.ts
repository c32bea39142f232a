import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { NotificationSender } from "../../src/adapters/postgres/notification-sender.js";
import { storedOf } from "../../src/conformance/live-fixtures.js";
import { WorkerProgressError } from "../../src/domain/errors.js";
import type { LiveMessage } from "../../src/ports/live.js";

const notTaken = "PostgreSQL takes no notifications: other processes see changes late until it does";
const takenAgain = "PostgreSQL takes notifications again";

type Answer = "taken" | Error | Promise<void>;

let warnings: string[];
let sent: (readonly number[])[];
/** How the statements to come are answered; those after them are taken. */
let answers: Answer[];
let sender: NotificationSender;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.spyOn(Math, "random").mockReturnValue(1);
  [warnings, sent, answers] = [[], [], []];
  const send = async (messages: readonly LiveMessage[]) => {
    sent.push(messages.map((message) => (message.kind === "cancellation" ? -1 : message.progress)));
    const answer = answers.shift() ?? "taken";
    if (answer instanceof Error) throw answer;
    if (answer !== "taken") await answer;
  };
  sender = new NotificationSender(send, { warn: (message) => void warnings.push(message) });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const offer = (...progress: readonly number[]) => sender.offer(progress.map((each) => storedOf("job", each)));
/** Lets time pass, and the turns of the event loop that what was due then takes. */
const elapse = async (ms: number) => {
  await vi.advanceTimersByTimeAsync(ms);
  for (let turn = 0; turn < 3; turn++) await setImmediate();
};
const unavailable = () => new WorkerProgressError("STORAGE_UNAVAILABLE", "away");
const never = () => new Promise<void>(() => {});

describe("what is told other processes", () => {
  test("in one turn of the event loop goes together, and nothing costs no statement", async () => {
    offer();
    await elapse(100);
    expect(sent).toEqual([]);
    offer(1);
    offer(2, 3);
    await elapse(0);
    expect(sent).toEqual([[1, 2, 3]]);
  });

  test("while a statement is under way goes together into the next, 20 ms later", async () => {
    let taken = () => {};
    answers = [new Promise<void>((resolve) => (taken = resolve))];
    offer(1);
    await elapse(0);
    offer(2);
    offer(3);
    await elapse(1_000);
    expect(sent).toEqual([[1]]);
    taken();
    await elapse(19);
    expect(sent).toEqual([[1]]);
    await elapse(1);
    expect(sent).toEqual([[1], [2, 3]]);
  });

  test("and was not taken is tried again before what came meanwhile, when its wait is over and not earlier", async () => {
    let fail = (_: Error) => {};
    answers = [new Promise<void>((_, reject) => (fail = reject))];
    offer(1, 2);
    await elapse(0);
    offer(3);
    fail(unavailable());
    await elapse(0);
    offer(4);
    await elapse(499);
    expect(sent).toEqual([[1, 2]]);
    await elapse(1);
    expect(sent).toEqual([
      [1, 2],
      [1, 2, 3, 4],
    ]);
    expect(warnings).toEqual([notTaken, takenAgain]);
  });

  test("and failed otherwise than by PostgreSQL's refusal is tried again, too", async () => {
    answers = [new Error("socket hang up")];
    offer(1);
    await elapse(0);
    await elapse(500);
    expect(sent).toEqual([[1], [1]]);
  });

  test("and is refused for what it says is not tried again, and holds up nothing", async () => {
    answers = [new WorkerProgressError("STORAGE_REJECTED", "payload string too long")];
    offer(1);
    await elapse(0);
    await elapse(60_000);
    offer(2);
    await elapse(0);
    expect(sent).toEqual([[1], [2]]);
    expect(warnings).toEqual([notTaken, takenAgain]);
  });

  test("waits longer from failure to failure, and as at first after one that was taken", async () => {
    answers = [unavailable(), unavailable(), unavailable(), "taken", unavailable()];
    offer(1);
    await elapse(0);
    await elapse(500);
    await elapse(999);
    expect(sent).toHaveLength(2);
    await elapse(1);
    expect(sent).toHaveLength(3);
    await elapse(2_000);
    expect(sent).toHaveLength(4);
    await elapse(20);
    offer(2);
    await elapse(0);
    await elapse(500);
    expect(sent.slice(4)).toEqual([[2], [2]]);
  });

  test("is tried again where no answer comes within 5 s", async () => {
    answers = [never()];
    offer(1);
    await elapse(0);
    await elapse(5_000);
    expect(warnings).toEqual([notTaken]);
    await elapse(500);
    expect(sent).toEqual([[1], [1]]);
  });

  test("during an outage is kept up to the newest 10,000", async () => {
    answers = [unavailable()];
    offer(0);
    await elapse(0);
    offer(...Array.from({ length: 10_001 }, (_, index) => index + 1));
    await elapse(500);
    expect(sent[1]).toHaveLength(10_000);
    expect([sent[1]?.[0], sent[1]?.at(-1)]).toEqual([2, 10_001]);
  });
});

// The moment in which the last statement is over and the next may begin is a few microtasks long.
test.each(Array.from({ length: 8 }, (_, index) => index))(
  "what is told as a pause ends is sent: microtask %s of it",
  async (turns) => {
    offer(1);
    await elapse(0);
    vi.advanceTimersByTime(20);
    for (let turn = 0; turn < turns; turn++) await null;
    offer(2);
    await elapse(0);
    expect(sent).toEqual([[1], [2]]);
  },
);

describe("a sender that is closed", () => {
  test("sends what waits, and nothing that is told later", async () => {
    offer(1);
    const closed = sender.close();
    offer(2);
    await elapse(0);
    await closed;
    offer(3);
    await elapse(1_000);
    expect(sent).toEqual([[1]]);
  });

  test("sends what came while a statement was under way without the pause between two", async () => {
    let taken = () => {};
    answers = [new Promise<void>((resolve) => (taken = resolve))];
    offer(1);
    await elapse(0);
    offer(2);
    const closed = sender.close();
    taken();
    await elapse(0);
    await closed;
    expect(sent).toEqual([[1], [2]]);
  });

  test("waits no longer than a second for an answer, and sends nothing of what waited after it", async () => {
    let taken = () => {};
    answers = [new Promise<void>((resolve) => (taken = resolve))];
    offer(1);
    await elapse(0);
    offer(2);
    let isClosed = false;
    const closed = sender.close().then(() => (isClosed = true));
    await elapse(999);
    expect(isClosed).toBe(false);
    await elapse(1);
    await closed;
    taken();
    await elapse(1_000);
    expect(sent).toEqual([[1]]);
  });

  test("during an outage waits for nothing and tries nothing again", async () => {
    answers = [unavailable()];
    offer(1);
    await elapse(0);
    await sender.close();
    expect(vi.getTimerCount()).toBe(0);
    await elapse(60_000);
    expect(sent).toEqual([[1]]);
  });

  test("during an outage does not wait for a statement under way, and tries it no more", async () => {
    answers = [unavailable(), never()];
    offer(1);
    await elapse(0);
    await elapse(500);
    await sender.close();
    await elapse(60_000);
    expect(sent).toEqual([[1], [1]]);
  });

  test("tries nothing again that fails while it waits for it", async () => {
    let fail = (_: Error) => {};
    answers = [new Promise<void>((_, reject) => (fail = reject))];
    offer(1);
    await elapse(0);
    const closed = sender.close();
    fail(unavailable());
    await closed;
    await elapse(60_000);
    expect(sent).toEqual([[1]]);
  });
});
