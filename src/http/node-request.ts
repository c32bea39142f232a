import type { IncomingMessage } from "node:http";

/** What the requests of `node:http2` have besides, where they are served as those of `node:http`. */
interface Http2Parts {
  readonly stream?: { readonly endAfterHeaders: boolean };
}

const incoming = new WeakMap<Request, IncomingMessage>();

/**
 * What `node:http` received, for a request that came through `toNodeHandler`: its socket's address, or what a middleware
 * put on it. Undefined for any other request.
 *
 * @example
 * const key = (request: Request) => nodeRequest(request)?.socket.remoteAddress ?? "unknown";
 */
export function nodeRequest(request: Request): IncomingMessage | undefined {
  return incoming.get(request);
}

/** A `Request` of what `node:http` received. @throws TypeError for a method, a URL or a header that `Request` cannot hold */
export function webRequest(message: IncomingMessage, signal: AbortSignal): Request {
  // A `Request` cannot be a TRACE: it becomes another method that no path answers.
  const method = message.method === "TRACE" ? "UNANSWERED" : (message.method ?? "GET");
  const headers = new Headers();
  for (let i = 0; i + 1 < message.rawHeaders.length; i += 2) {
    const name = message.rawHeaders[i] as string;
    // What HTTP/2 says of the request besides its fields, as :path.
    if (!name.startsWith(":")) headers.append(name, message.rawHeaders[i + 1] as string);
  }
  const request = new Request(urlOf(message), {
    method,
    headers,
    signal,
    ...(method !== "GET" && method !== "HEAD" && hasBody(message) ? { body: bodyOf(message), duplex: "half" } : {}),
  });
  incoming.set(request, message);
  return request;
}

/** Whether a body comes with a request, read or not. HTTP/2 need not say how it is sent. */
export function hasBody({ headers, stream }: IncomingMessage & Http2Parts): boolean {
  if (stream !== undefined) return !stream.endAfterHeaders;
  return (headers["content-length"] ?? "0") !== "0" || headers["transfer-encoding"] !== undefined;
}

// By concatenation, since "//host/path" must stay a path. Express keeps the whole path in originalUrl.
function urlOf(message: IncomingMessage & { readonly originalUrl?: unknown }): string {
  const { originalUrl, url = "/" } = message;
  const target = typeof originalUrl === "string" ? originalUrl : url;
  if (!target.startsWith("/")) return URL.canParse(target) ? target : "http://localhost/";
  const scheme = (message.socket as { readonly encrypted?: boolean }).encrypted === true ? "https" : "http";
  const host = `${scheme}://${message.headers.host ?? message.headers[":authority"] ?? ""}`;
  return `${URL.canParse(host) ? new URL(host).origin : `${scheme}://localhost`}${target}`;
}

function bodyOf(message: IncomingMessage & { readonly body?: unknown }): ReadableStream<Uint8Array> | string {
  // A middleware that read or parsed the body has taken it from the connection.
  if (message.readableEnded) return bodyAsSent(message.body);
  let chunks: AsyncIterator<Uint8Array> | null = null;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        chunks ??= message[Symbol.asyncIterator]();
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    },
    { highWaterMark: 0 },
  );
}

function bodyAsSent(body: unknown): string {
  return typeof body === "string" || Buffer.isBuffer(body) ? body.toString() : JSON.stringify(body);
}
