import type { ReporterOptions } from "worker-progress";
import type { Seen } from "../../faults/workers/course-messages.js";

/** A node of a cluster. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where the servers are when one URL cannot say it; what is left out is opened from the stage's URL. */
export interface ClusterAddresses {
  readonly redisCluster?: readonly Address[];
  readonly sentinels?: readonly Address[];
  readonly amqpUrls?: readonly string[];
}

/** What a worker is to do until it is told to stop. */
export interface LoadTask {
  /** Jobs that it alone starts, reports and completes, again and again. */
  readonly ownJobIds: readonly string[];
  /** Jobs that it reports, as others do, and never starts. */
  readonly sharedJobIds: readonly string[];
  /** Wall-clock milliseconds from which all processes derive the percents of shared jobs, so that these rise together. */
  readonly epoch: number;
  readonly clusters: ClusterAddresses;
  readonly options: ReporterOptions;
  /** How long an attempt takes, in milliseconds. */
  readonly attemptMs: number;
}

/** A change whose call has resolved: it is stored, or the library has lied. */
export interface Acknowledged {
  readonly jobId: string;
  readonly attempt: number;
  readonly change: "started" | "completed";
  /** When the call was made, in milliseconds since the epoch: before that it was not stored. */
  readonly askedAt: number;
  /** When it had resolved. */
  readonly at: number;
}

/** What became of the load. */
export interface LoadReport {
  readonly healthy: Seen;
  /** From the moment the worker was told of the fault. */
  readonly fault: Seen;
  readonly acknowledged: readonly Acknowledged[];
}

export type LoadOrder = "fault" | "stop" | "end";

/** What the worker says. */
export interface LoadMessage {
  readonly ready?: true;
  /** A warning of the library, and when, in milliseconds since the epoch. */
  readonly warned?: { readonly message: string; readonly at: number };
  /** Every own job was reported for the last time, with step "last" and 97 %. */
  readonly report?: LoadReport;
}
