import type { IncomingMessage, ServerResponse } from "node:http";
import { reasonOf } from "../domain/reason-of.js";
import type { JobHandler } from "./job-handler.js";
import { hasBody, webRequest } from "./node-request.js";
import { problemResponse } from "./problem.js";

/** What `node:http`, Express and Fastify (with its raw request and response) call. Never rejects. */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Options of `toNodeHandler`. */
export interface NodeHandlerOptions {
  /** How long a client may take nothing of what was sent before it is disconnected, in milliseconds, 1 or more. @default 60000 */
  readonly stallMs?: number;
}

/**
 * Makes a handler of web requests one of `node:http`. Ends what it does when the client goes away, and waits for a slow
 * client instead of holding more than one chunk for it.
 *
 * @throws RangeError when `stallMs` is no number of milliseconds from 1
 */
export function toNodeHandler(handler: JobHandler, { stallMs = 60_000 }: NodeHandlerOptions = {}): NodeHandler {
  if (!(stallMs >= 1)) throw new RangeError("Option stallMs must be 1 or more milliseconds");
  return async (message, target) => {
    const gone = new AbortController();
    target.once("close", () => {
      if (!target.writableFinished) gone.abort();
    });
    try {
      await send(await respond(handler, message, gone.signal), message, target, stallMs);
    } catch (error) {
      target.destroy(error instanceof Error ? error : new Error(reasonOf(error)));
    }
  };
}

async function respond(handler: JobHandler, message: IncomingMessage, signal: AbortSignal): Promise<Response> {
  let request: Request;
  try {
    request = webRequest(message, signal);
  } catch {
    return problemResponse(unsupported.has(message.method ?? "") ? "METHOD_NOT_ALLOWED" : "INVALID_ARGUMENT");
  }
  return handler(request);
}

/** Methods that a web `Request` cannot have. */
const unsupported: ReadonlySet<string> = new Set(["CONNECT", "TRACE", "TRACK"]);

async function send(
  response: Response,
  message: IncomingMessage,
  target: ServerResponse,
  stallMs: number,
): Promise<void> {
  if (target.destroyed) return void response.body?.cancel();
  for (const [name, value] of response.headers) target.setHeader(name, value);
  // What the client still sends is not read: it must not be taken for its next request, nor keep the connection busy.
  if (!message.complete && hasBody(message)) target.shouldKeepAlive = false;
  target.statusCode = response.status;
  if (response.body === null || response.headers.has("content-length")) {
    target.end(Buffer.from(await response.arrayBuffer()));
  } else {
    await stream(response.body, target, stallMs);
  }
}

async function stream(body: ReadableStream<Uint8Array>, target: ServerResponse, stallMs: number): Promise<void> {
  const reader = body.getReader();
  const stop = () => void reader.cancel().catch(() => {});
  target.once("close", stop);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    await taken(target, value, stallMs);
  }
  target.off("close", stop);
  target.end();
}

/** Until the system has taken the chunk, or the client is gone. */
function taken(target: ServerResponse, chunk: Uint8Array, stallMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => target.destroy(), stallMs);
    const finish = () => {
      clearTimeout(timer);
      target.off("close", finish);
      resolve();
    };
    target.once("close", finish);
    target.write(chunk, finish);
  });
}
