import { readCancellation, readNews, withoutTexts } from "../../domain/live-message.js";
import type { LiveMessage } from "../../ports/live.js";

/** PostgreSQL refuses a payload of 8,000 bytes. https://www.postgresql.org/docs/current/sql-notify.html */
const mostBytes = 7_999;

/** Messages as payloads, in order: as many in each as fit. What is too long by itself goes without its text. */
export function packMessages(sender: string, messages: readonly LiveMessage[]): readonly string[] {
  const head = `["${sender}"`;
  const room = mostBytes - head.length - 1;
  const payloads: string[] = [];
  let [body, bytes] = ["", 0];
  const finish = () => {
    if (body !== "") payloads.push(`${head}${body}]`);
    [body, bytes] = ["", 0];
  };
  for (const message of messages) {
    const text = `,${encoded(message, room - 1)}`;
    const size = Buffer.byteLength(text);
    if (bytes + size > room) finish();
    body += text;
    bytes += size;
  }
  finish();
  return payloads;
}

/** The messages of a payload; none of the sender's own, and none of what is no message: anybody may notify. */
export function unpackMessages(self: string, payload: string): readonly LiveMessage[] {
  const [sender, ...values] = arrayOf(payload);
  if (typeof sender !== "string" || sender === self) return [];
  return values.flatMap((value) => readMessage(value) ?? []);
}

function encoded(message: LiveMessage, room: number): string {
  const whole = JSON.stringify(message);
  return Buffer.byteLength(whole) <= room ? whole : JSON.stringify(withoutTexts(message));
}

function readMessage(value: unknown): LiveMessage | null {
  const { jobId } = (value ?? {}) as { readonly jobId?: unknown };
  return readCancellation(value) ?? (typeof jobId === "string" ? readNews(jobId, value) : null);
}

function arrayOf(payload: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(payload);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
