/** The protocol of the queue: what to do, for which job, in which attempt. */
export interface TaskMessage {
  readonly job_id: number | string;
  /** Counts from 1. A message delivered twice names the same attempt, so it cannot do the job twice. @default 1 */
  readonly attempt?: number;
  readonly task: string;
  readonly args?: Readonly<Record<string, unknown>>;
}

export const queue = process.env.QUEUE ?? "tasks";

/** Reads a message off the wire; null for what is none. */
export function parseTask(content: Buffer): TaskMessage | null {
  try {
    const value = JSON.parse(content.toString("utf8"));
    const named = typeof value?.job_id === "number" || typeof value?.job_id === "string";
    return named && typeof value.task === "string" ? value : null;
  } catch {
    return null;
  }
}

export function encodeTask(message: TaskMessage): Buffer {
  return Buffer.from(JSON.stringify(message));
}
