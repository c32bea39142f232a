import { expect, test } from "vitest";
import { verbOf } from "../../src/domain/command.js";
import { jobStatuses } from "../../src/domain/job-status.js";
import { progress, start, toStatus } from "./sample-job.js";

test('what a command does reads well in "Cannot … job"', () => {
  const changes = [progress(50), start(), ...jobStatuses.map((status) => toStatus(status))];
  expect(changes.map((change) => `Cannot ${verbOf(change)} job "42"`)).toEqual([
    'Cannot report progress of job "42"',
    'Cannot start job "42"',
    'Cannot set status pending of job "42"',
    'Cannot set status queued of job "42"',
    'Cannot set status running of job "42"',
    'Cannot set status retrying of job "42"',
    'Cannot complete job "42"',
    'Cannot fail job "42"',
    'Cannot cancel job "42"',
    'Cannot set status timeout of job "42"',
  ]);
});
