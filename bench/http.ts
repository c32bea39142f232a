/**
 * What the HTTP handler costs: requests per second of GET beside a bare handler that answers a constant, and the heap of a
 * Server-Sent Events client that never reads. The load comes from a second process.
 * Run: npm run bench:http
 */
import { type ChildProcess, fork } from "node:child_process";
import { Agent, createServer, get, type RequestListener } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createProgressReporter, type JobView } from "worker-progress";
import { createJobHandler, type JobSource, toNodeHandler } from "worker-progress/http";

const connections = 32;
const roundMs = 1_000;
const rounds = 4;

declare const gc: (() => void) | undefined;

type Order =
  | { readonly kind: "load"; readonly port: number; readonly path: string }
  | { readonly kind: "sleep"; readonly port: number; readonly path: string; readonly sleepers: number };

interface Load {
  readonly perSecond: number;
  /** All requests, those of warming up too. */
  readonly done: number;
}

const view: JobView = {
  id: 1,
  type: "model",
  status: "running",
  progress: { percent: 0, step: null, message: null, updated_at: null },
  attempts: 1,
  cancel_requested: false,
  artefacts: [],
  queue_position: null,
  started_at: null,
  finished_at: null,
  output: null,
  error_code: null,
  error_message: null,
};

if (process.send === undefined) await measure();
else process.on("message", (order: Order) => void (order.kind === "load" ? load(order) : sleepOn(order)));

async function measure(): Promise<void> {
  const reporter = createProgressReporter(undefined, undefined, undefined, { log: { warn() {} } });
  const id = await reporter.createJob({ type: "model" });
  await (await reporter.startJob(id)).forceProgress(50, "processing", "Processing frame 50 of 100");
  const job = (await reporter.getJob(id)) as JobView;
  const constant = Buffer.from(JSON.stringify(job));
  const fixed: JobSource = {
    getJob: async () => job,
    requestCancel: async () => {},
    watch: () => endless(job),
  };
  const options = { authorize: () => true };
  const listeners: Readonly<Record<string, RequestListener>> = {
    "bare node:http, a constant": (_, response) => {
      response.setHeader("content-type", "application/json");
      response.end(constant);
    },
    "the handler over a constant job": toNodeHandler(createJobHandler(fixed, options)),
    "the handler over an embedded reporter": toNodeHandler(createJobHandler(reporter, options)),
  };
  const path = `/api/v1/jobs/${id}`;
  const client = fork(import.meta.filename);
  const counts = new Map<string, number[]>();
  const costs = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, listener] of Object.entries(listeners)) {
      const before = process.cpuUsage();
      const { perSecond, done } = await withServer(listener, (port) => ask<Load>(client, { kind: "load", port, path }));
      const { user, system } = process.cpuUsage(before);
      note(counts, name, perSecond);
      note(costs, name, (user + system) / done);
    }
  }
  const base = median(counts.get("bare node:http, a constant"));
  console.log("| GET of a job | requests/s | of bare | CPU a request |\n|---|---|---|---|");
  for (const [name, each] of counts) {
    const share = ((median(each) / base) * 100).toFixed(0);
    console.log(`| ${name} | ${Math.round(median(each))} | ${share} % | ${median(costs.get(name)).toFixed(0)} µs |`);
  }
  console.log(
    "\n| clients that never read | bytes a state | states sent to each | heap each | buffers each |\n|---|---|---|---|---|",
  );
  await measureSleepers(client, path, 500, 1_000, 100);
  await measureSleepers(client, path, 20, 60_000, Number.POSITIVE_INFINITY);
  client.kill();
  await reporter.close();
}

/** `states` of `bytes` each go to clients that read none, or as many as the sockets take. */
async function measureSleepers(client: ChildProcess, path: string, sleepers: number, bytes: number, states: number) {
  let sent = 0;
  const message = "x".repeat(bytes);
  const source: JobSource = {
    getJob: async () => null,
    requestCancel: async () => {},
    async *watch() {
      for (let i = 0; i < states; i++) {
        sent++;
        yield { ...view, progress: { ...view.progress, percent: i / 1e6, message } };
      }
      await new Promise(() => {});
    },
  };
  const handler = toNodeHandler(createJobHandler(source, { authorize: () => true }));
  await withServer(handler, async (port, server) => {
    const before = await settledMemory();
    await ask<string>(client, { kind: "sleep", port, path: `${path}/events`, sleepers });
    let seen = -1;
    while (sent !== seen || sent < sleepers) {
      seen = sent;
      await sleep(500);
    }
    const after = await settledMemory();
    const open = await new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
    const each = (now: number, then: number) => ((now - then) / 1_024 / open).toFixed(1);
    console.log(
      `| ${open} | ${bytes} | ${(sent / open).toFixed(0)} | ${each(after.heapUsed, before.heapUsed)} kB ` +
        `| ${each(after.arrayBuffers, before.arrayBuffers)} kB |`,
    );
  });
}

// What a collection frees of buffers is counted only in a later turn.
async function settledMemory(): Promise<NodeJS.MemoryUsage> {
  for (let i = 0; i < 3; i++) {
    gc?.();
    await sleep(50);
  }
  return process.memoryUsage();
}

async function* endless(job: JobView): AsyncGenerator<JobView, void, undefined> {
  for (;;) yield job;
}

async function withServer<T>(
  listener: RequestListener,
  use: (port: number, server: ReturnType<typeof createServer>) => Promise<T>,
): Promise<T> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await use((server.address() as AddressInfo).port, server);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function ask<T>(client: ChildProcess, order: Order): Promise<T> {
  client.send(order);
  return new Promise((resolve) => client.once("message", (answer) => resolve(answer as T)));
}

/** Keeps every connection busy, and tells how many answers came per second. */
async function load({ port, path }: Order): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  let done = 0;
  const once = () =>
    new Promise<void>((resolve, reject) => {
      get({ port, path, agent, host: "127.0.0.1" }, (response) => {
        if (response.statusCode !== 200) reject(new Error(`Answered ${response.statusCode}`));
        response.resume().once("end", resolve);
      }).once("error", reject);
    });
  let until = performance.now() + roundMs / 2;
  const keepBusy = async () => {
    while (performance.now() < until) {
      await once();
      done++;
    }
  };
  const all = () => Promise.all(Array.from({ length: connections }, keepBusy));
  await all();
  const warm = done;
  const start = performance.now();
  until = start + roundMs;
  await all();
  const perSecond = ((done - warm) / (performance.now() - start)) * 1_000;
  agent.destroy();
  process.send?.({ perSecond, done } satisfies Load);
}

/** Opens streams and never reads from them. */
async function sleepOn({ port, path, sleepers }: Extract<Order, { kind: "sleep" }>): Promise<void> {
  const opened = Array.from({ length: sleepers }, () => {
    const socket = connect(port, "127.0.0.1").pause();
    socket.on("error", () => {});
    return new Promise<void>((resolve) => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`, () => resolve());
    });
  });
  await Promise.all(opened);
  process.send?.("open");
}

function note(into: Map<string, number[]>, name: string, value: number): void {
  into.set(name, [...(into.get(name) ?? []), value]);
}

function median(values: readonly number[] = []): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
