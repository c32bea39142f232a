import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A server of the dashboard's page that says exactly what a test tells it: what real jobs do too seldom to wait for. */
export interface ToldDashboard {
  readonly url: string;
  /** Sends a state of a job to every open page, and to those that come later. */
  job(id: number | string, state?: Partial<ToldState>): void;
  /** Sends a list, and how many jobs it leaves out. */
  list(ids: readonly number[], more?: number): void;
  /** Ends every stream, and forgets what it has sent. */
  begin(): void;
  /** How a cancellation is answered from now on. @default 202 without a body */
  cancelAnswer: { readonly status: number; readonly body: string };
  /** How many streams are open. */
  readonly streams: number;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What matters of a job's state on the page. */
export interface ToldState {
  readonly status: string;
  readonly percent: number;
  readonly message: string | null;
  readonly attempts: number;
  readonly cancel_requested: boolean;
  readonly type: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly eta?: number;
}

const page = new URL("../../examples/dashboard/page.html", import.meta.url);
const running: ToldState = {
  status: "running",
  percent: 0,
  message: null,
  attempts: 1,
  cancel_requested: false,
  type: "model",
  started_at: "2026-01-20T10:30:00Z",
  finished_at: null,
};

/** Starts such a server. */
export async function startToldDashboard(): Promise<ToldDashboard> {
  const streams = new Set<ServerResponse>();
  let sent: string[] = [];
  const tell = (event: string, data: unknown) => {
    sent.push(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    for (const stream of streams) stream.write(sent.at(-1));
  };
  const server = createServer(async ({ url }, response) => {
    if (url === "/jobs/events") {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(`retry: 10\n\n${sent.join("")}`);
      streams.add(response);
      response.once("close", () => streams.delete(response));
    } else if (url?.endsWith("/cancel")) {
      response.writeHead(told.cancelAnswer.status, { "content-type": "text/html" }).end(told.cancelAnswer.body);
    } else response.writeHead(200, { "content-type": "text/html" }).end(await readFile(page));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const told: ToldDashboard = {
    cancelAnswer: { status: 202, body: "" },
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    get streams() {
      return streams.size;
    },
    job(id, state = {}) {
      const { percent, message, ...rest } = { ...running, ...state };
      tell("job", { id, ...rest, progress: { percent, step: null, message, updated_at: null } });
    },
    list: (ids, more = 0) => tell("jobs", { ids: ids.map(String), more }),
    begin() {
      sent = [];
      for (const stream of streams) stream.end();
      streams.clear();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return told;
}
