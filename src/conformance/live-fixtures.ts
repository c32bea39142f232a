import type {
  LiveAdapter,
  LiveCancellation,
  LiveListener,
  LiveMessage,
  LiveProgress,
  LiveStored,
} from "../ports/live.js";
import { untilTrue } from "./until-true.js";

/** Makes news of a job. */
export type NewsOf = (jobId: string, progress: number) => LiveProgress | LiveStored;

/** Progress of a job that differs from any other `progress` of it. */
export function progressOf(jobId: string, progress: number): LiveProgress {
  const [step, message] = ["processing", `Zażółć 🚀 "${progress}"\n`];
  return { kind: "progress", jobId, attempt: 1, progress, step, message, at: 1_705_746_600_000 + progress };
}

/** What is stored of a job, with everything that may be unknown unknown. */
export function storedOf(jobId: string, progress: number): LiveStored {
  const unknown = { step: null, message: null, rate: null };
  return { kind: "stored", jobId, attempt: 2, progress, status: "running", at: 1_705_746_600_000.5, ...unknown };
}

/** Somebody wants a job cancelled. */
export function cancellationOf(jobId: string, reason: string | null = null): LiveCancellation {
  return { kind: "cancellation", jobId, reason };
}

/** A listener that keeps what it hears. */
export interface Recorder extends LiveListener {
  readonly heard: readonly LiveMessage[];
  /** Resolves once it has heard so many messages. */
  hears(count: number): Promise<void>;
}

/** Makes a listener that keeps what it hears. */
export function recorder(): Recorder {
  const heard: LiveMessage[] = [];
  return {
    heard,
    onMessage: (message) => void heard.push(message),
    onGap: () => {},
    hears: (count) => untilTrue(async () => heard.length >= count),
  };
}

/** Publishes something that arrives after everything published before, and waits until it did. */
export async function settle(live: LiveAdapter, listens: LiveAdapter, newsOf: NewsOf): Promise<void> {
  const last = recorder();
  const unsubscribe = await listens.subscribe("settled", last);
  await live.publish([newsOf("settled", 1)]);
  await last.hears(1);
  unsubscribe();
}
