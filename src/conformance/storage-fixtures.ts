import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { JobEvent } from "../domain/event.js";
import { type JobIdType, jsonJobId } from "../domain/job-id.js";
import type { JobPatch, JobSnapshot, JobVersion } from "../domain/job-snapshot.js";
import type { OutboxAdapter, OutboxRow } from "../ports/outbox.js";
import type { JobWrite, StorageAdapter } from "../ports/storage.js";
import type { StorageUnderTest } from "./storage-under-test.js";

/** When the jobs of the cases are created, in milliseconds since the epoch. */
export const createdAt = Date.UTC(2024, 0, 20, 10, 30, 0, 123);

/** A version that any storage can hold. */
export const runningAt = (progress: number, attempt = 1): JobVersion => ({ status: "running", progress, attempt });

/** An id of each type that no job has. The bigint is beyond what a JavaScript number holds exactly. */
export const unknownIds: Readonly<Record<JobIdType, string>> = {
  integer: "2147483001",
  bigint: "9007199254740993",
  uuid: "00000000-0000-4000-8000-000000000001",
  text: "no such job",
};

/** Creates a pending job and answers it as stored. */
export async function newJob({ storage, newId }: StorageUnderTest): Promise<JobSnapshot> {
  const id = await storage.create({ id: newId(), type: "model", status: "pending", at: createdAt });
  return stored(storage, id);
}

/** Creates several jobs. */
export async function newJobs(subject: StorageUnderTest, count: number): Promise<readonly JobSnapshot[]> {
  const jobs: JobSnapshot[] = [];
  while (jobs.length < count) jobs.push(await newJob(subject));
  return jobs;
}

/** Reads a job that must be there. */
export async function stored(storage: StorageAdapter, id: string): Promise<JobSnapshot> {
  const [job] = await storage.load([id]);
  assert.ok(job, `job "${id}" is not stored`);
  return job;
}

/** What a version holds, without the rest of a snapshot. */
export function versionOf({ status, progress, attempt }: JobVersion): JobVersion {
  return { status, progress, attempt };
}

/** A write that expects what `job` holds. */
export function write(job: JobSnapshot, next: JobVersion, set: Partial<JobPatch> = {}): JobWrite {
  return {
    id: job.id,
    expected: versionOf(job),
    next,
    set: { updatedAt: createdAt + 1000, ...set },
    silentSince: null,
    event: null,
  };
}

/** The same write with an event of its change. */
export async function withEvent(storage: StorageAdapter, change: JobWrite): Promise<JobWrite> {
  const { idType } = await storage.prepare();
  return { ...change, event: eventOf(change, idType) };
}

/** The outbox of a storage that must have one. */
export function outboxOf(storage: StorageAdapter): OutboxAdapter {
  assert.ok(storage.outbox, "the storage has no outbox");
  return storage.outbox;
}

/** Everything that waits in the outbox. */
export async function waiting(storage: StorageAdapter): Promise<readonly OutboxRow[]> {
  const claim = await outboxOf(storage).claim({ owner: "conformance", leaseMs: 60_000, after: null, limit: 100_000 });
  assert.ok(claim.held, "another relay holds the lease");
  return claim.rows;
}

function eventOf({ id, expected, next }: JobWrite, idType: JobIdType): JobEvent {
  const eventId = randomUUID();
  return {
    id: eventId,
    jobId: id,
    payload: {
      event_id: eventId,
      event_type: "job.status.changed",
      timestamp: new Date(createdAt).toISOString(),
      job_id: jsonJobId(id, idType),
      status: next.status,
      progress: next.progress,
      attempt: next.attempt,
      previous_status: expected.status,
      previous_progress: expected.progress,
      step: null,
      message: `"quoted", {braced}, back\\slash`,
    },
  };
}
