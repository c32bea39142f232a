import { expect, test } from "vitest";
import { eventId, isOlder, seenState } from "../../src/http/job-version.js";
import { view } from "./fake-jobs.js";

test.each([
  ["further on", view({}, 50), view({}, 51), false],
  ["the same", view({}, 50), view({}, 50), false],
  ["less far", view({}, 50), view({}, 49), true],
  ["running where it was queued", view({ status: "queued" }, 50), view({}, 0), false],
  ["queued again", view({}, 50), view({ status: "queued" }, 0), false],
  ["queued again after the end", view({ status: "failed" }, 50), view({ status: "queued" }, 0), false],
  ["running where the end was seen", view({ status: "failed" }, 50), view({}, 50), true],
  ["retrying where the end was seen", view({ status: "failed" }, 50), view({ status: "retrying" }, 50), true],
  ["retrying where it ran", view({}, 50), view({ status: "retrying" }, 50), false],
  ["another end", view({ status: "failed" }, 50), view({ status: "completed" }, 40), false],
  ["of the next attempt", view({}, 50), view({ attempts: 2 }, 0), false],
  ["of the attempt before", view({ attempts: 2 }, 0), view({}, 50), true],
])("whether a state that is %s is older than the one that was seen", (_, seen, now, older) => {
  const state = seenState(eventId(seen));
  expect(state && isOlder(now, state)).toBe(older);
});

test("the id of an event tells attempt, percent and status of a state, whatever its percent", () => {
  for (const percent of [0, 100, 33.333333333333336, 1e-7, 12.5]) {
    const state = view({ attempts: 3 }, percent);
    expect(seenState(eventId(state))).toEqual({ attempts: 3, percent, status: "running" });
  }
});

test("the id of an event holds nothing that would end its line", () => {
  const state = view({ error_message: "\r\n\n\0\u2028" });
  expect(eventId(state)).toMatch(/^[\w.-]+$/);
});
