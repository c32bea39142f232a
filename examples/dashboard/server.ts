import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createProgressReporter } from "worker-progress";
import { createJobHandler, toNodeHandler } from "worker-progress/http";
import { openDatabase } from "./database.ts";
import { runDemoJobs } from "./demo-jobs.ts";

const { DATABASE_URL, REDIS_URL, RABBITMQ_URL, PORT = "3000" } = process.env;
const db = await openDatabase(DATABASE_URL);
const reporter = createProgressReporter(db.client, REDIS_URL || null, RABBITMQ_URL || null);
await reporter.migrate();

// Everybody who reaches the port may see and cancel every job, so it listens on this machine only. Ask for a session here.
const jobs = toNodeHandler(createJobHandler(reporter, { authorize: () => true }));
const page = await readFile(new URL("page.html", import.meta.url));
const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    "default-src 'none'; connect-src 'self'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-ancestors 'none'",
};

const server = createServer(async (request, response) => {
  const path = request.url?.split("?")[0];
  if (request.method === "GET" && path === "/") response.writeHead(200, pageHeaders).end(page);
  else if (request.method === "GET" && path === "/jobs/events") await streamJobs(response);
  else await jobs(request, response);
}).listen(Number(PORT), "127.0.0.1");
await once(server, "listening");
console.log(`Dashboard: http://127.0.0.1:${PORT}`);

const ending = new AbortController();
if (process.argv.includes("--demo")) void runDemoJobs(reporter, ending.signal);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, shutDown);

async function shutDown() {
  ending.abort();
  server.close();
  server.closeAllConnections();
  await reporter.close();
  await db.close();
}

/**
 * All jobs of the list over one connection. A stream for each job would be simpler, but over HTTP/1.1 a browser opens no
 * more than six connections to a server, all tabs together.
 */
async function streamJobs(response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  const { signal } = gone;
  response.once("close", () => gone.abort());
  response.setMaxListeners(0);
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  const send = async (event: "jobs" | "job", data: unknown) => {
    const taken = response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    if (!taken) await once(response, "drain", { signal }); // meanwhile watch() keeps the newest state only
  };
  const followed = new Map<string, "now" | "ended">();
  const follow = async (id: string) => {
    followed.set(id, "now");
    try {
      for await (const view of reporter.watch(id, { signal })) await send("job", view);
      followed.set(id, "ended");
    } catch {
      followed.delete(id); // the next look at the list tries again
    }
  };
  for (let look = 0, last = ""; !signal.aborted; look++) {
    const listed = await listJobs().catch(() => null);
    for (const { id, ended } of listed ?? []) {
      if (!followed.has(id) || (followed.get(id) === "ended" && !ended)) void follow(id);
    }
    const ids = listed?.map(({ id }) => id);
    // Now and then without news too, so that the page can tell a quiet server from a dead connection.
    if (ids && (look % 10 === 0 || last !== ids.join())) await send("jobs", ids).catch(() => {});
    last = ids?.join() ?? last;
    await sleep(1_000, undefined, { signal }).catch(() => {});
  }
}

/** Every job that is not over, and those that ended last. A large table needs an index on what this asks for. */
function listJobs(): Promise<{ id: string; ended: boolean }[]> {
  return db.rows(`
    (select id::text, false as ended from worker_progress_jobs where finished_at is null order by id limit 50)
    union all
    (select id::text, true as ended from worker_progress_jobs where finished_at is not null
     order by finished_at desc, id desc limit 12)`);
}
