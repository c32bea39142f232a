import type { StageAddress } from "../../guarantees/stage-address.js";
import type { MemorySample } from "../memory-trend.js";

/** What a worker of the soak is told. */
export interface SoakTask {
  readonly address: StageAddress;
  readonly seed: number;
  /** How many jobs it runs at a time. */
  readonly jobs: number;
  readonly lifeMs: readonly [number, number];
  readonly windowMs: number;
  readonly idleMs: number;
  readonly memoryEveryMs: number;
}

/** What the soak tells a worker. */
export type SoakOrder = { readonly kind: "takeOver"; readonly jobId: string } | { readonly kind: "finish" };

/** A change that a lifecycle call resolved for. */
export interface Ended {
  readonly jobId: string;
  readonly attempt: number;
  readonly status: "completed" | "failed" | "cancelled";
}

/** The newest progress that was not rejected, of a job that its worker still ran at the end. */
export interface Newest {
  readonly jobId: string;
  readonly attempt: number;
  readonly percent: number;
}

/** Counts of one process. */
export interface WorkerCounts {
  readonly calls: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** Milliseconds of the longest `progress()` call, not awaited. */
  readonly longestCallMs: number;
  readonly published: number;
  /** Events that were let go because no queue was bound. */
  readonly unroutable: number;
}

/** What a worker tells the soak. */
export type SoakNews =
  | { readonly kind: "memory"; readonly sample: MemorySample }
  | { readonly kind: "ended"; readonly ended: readonly Ended[] }
  | {
      readonly kind: "finished";
      readonly newest: readonly Newest[];
      readonly unwritten: number;
      readonly unpublished: boolean;
      readonly counts: WorkerCounts;
    };

/** What the consumer is told. */
export interface ConsumerTask {
  readonly databaseUrl: string;
  readonly rabbitmqUrl: string;
  readonly queue: string;
  readonly exchange: string;
  readonly memoryEveryMs: number;
}

/** What the consumer tells the soak. */
export type ConsumerNews =
  /** Its queue is bound: no event is let go from now on. */
  | { readonly kind: "ready" }
  | { readonly kind: "memory"; readonly sample: MemorySample }
  | { readonly kind: "counts"; readonly deliveries: number; readonly known: number };
