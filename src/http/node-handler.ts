import type { IncomingMessage, ServerResponse } from "node:http";
import { longestDelayMs } from "../domain/longest-delay.js";
import { reasonOf } from "../domain/reason-of.js";
import type { JobHandler } from "./job-handler.js";
import { hasBody, webRequest } from "./node-request.js";
import { problemResponse } from "./problem.js";

/** What `node:http`, Express and Fastify (with its raw request and response) call. Never rejects. */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Options of `toNodeHandler`. */
export interface NodeHandlerOptions {
  /** How long a client may take nothing of what was sent before it is disconnected, in milliseconds, 1 to 2147483647. @default 60000 */
  readonly stallMs?: number;
}

const sliceBytes = 65_536;

/**
 * Makes a handler of web requests one of `node:http`. Ends what it does when the client goes away, and waits for a slow
 * client instead of holding more than one chunk for it.
 *
 * @throws RangeError when `stallMs` is no number of milliseconds from 1 to 2147483647
 */
export function toNodeHandler(handler: JobHandler, { stallMs = 60_000 }: NodeHandlerOptions = {}): NodeHandler {
  if (!(stallMs >= 1 && stallMs <= longestDelayMs)) {
    throw new RangeError(`Option stallMs must be from 1 to ${longestDelayMs} milliseconds`);
  }
  return async (message, target) => {
    // A pipelined request waits for its turn: one connection is worth one stream, however many it asks for.
    if (target.socket === null && !target.destroyed) await turn(message, target);
    // Its connection is lost, or somebody else has answered.
    if (target.socket === null) return;
    const gone = new AbortController();
    const leave = () => {
      if (!target.writableEnded) gone.abort();
    };
    // In a slow middleware; what HTTP/2 cannot send any more is finished without having been ended.
    if (target.destroyed || target.writableFinished) leave();
    target.once("close", leave);
    try {
      const response = await respond(handler, message, gone.signal);
      if (gone.signal.aborted) await response.body?.cancel();
      else await send(response, message, target, stallMs);
    } catch (error) {
      target.destroy(error instanceof Error ? error : new Error(reasonOf(error)));
    }
  };
}

/** Until what came before on its connection is answered, or the connection is lost. */
function turn(message: IncomingMessage, target: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    target.once("socket", () => resolve());
    // Also emitted when a body parser has read it all.
    message.once("close", () => {
      if (message.socket.destroyed) resolve();
    });
  });
}

async function respond(handler: JobHandler, message: IncomingMessage, signal: AbortSignal): Promise<Response> {
  let request: Request;
  try {
    request = webRequest(message, signal);
  } catch {
    return problemResponse("INVALID_ARGUMENT");
  }
  return handler(request);
}

async function send(
  response: Response,
  message: IncomingMessage,
  target: ServerResponse,
  stallMs: number,
): Promise<void> {
  for (const [name, value] of response.headers) target.setHeader(name, value);
  // What the client still sends is not read: it must not be taken for its next request, nor keep the connection busy.
  if (!message.complete && hasBody(message)) target.shouldKeepAlive = false;
  target.statusCode = response.status;
  if (response.body !== null) await stream(response.body, target, stallMs);
  target.end();
}

async function stream(body: ReadableStream<Uint8Array>, target: ServerResponse, stallMs: number): Promise<void> {
  const reader = body.getReader();
  const stop = () => void reader.cancel().catch(() => {});
  target.once("close", stop);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    await write(target, value, stallMs);
  }
}

// In slices, so that a client that takes something of a long text is not taken for one that takes nothing.
async function write(target: ServerResponse, bytes: Uint8Array, stallMs: number): Promise<void> {
  for (let at = 0; at < bytes.byteLength; at += sliceBytes) {
    await taken(target, bytes.subarray(at, at + sliceBytes), stallMs);
  }
}

/** Until the system has taken the chunk, or the client is gone. */
function taken(target: ServerResponse, chunk: Uint8Array, stallMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => target.destroy(), stallMs);
    target.write(chunk, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
