import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createProgressReporter } from "worker-progress";
import { createJobHandler, toNodeHandler } from "worker-progress/http";
import { openDatabase } from "./database.ts";
import { runDemoJobs } from "./demo-jobs.ts";

const { DATABASE_URL, REDIS_URL, RABBITMQ_URL, PORT = "3000" } = process.env;
const db = await openDatabase(DATABASE_URL);
const reporter = createProgressReporter(db.client, REDIS_URL || null, RABBITMQ_URL || null);
await reporter.migrate().catch((error: Error) => {
  console.error(`The dashboard cannot begin: ${error.message}`);
  process.exit(1);
});

/**
 * Whether a request may see and cancel every job: here, if it was sent to this machine by name. Another name that leads
 * here is a foreign page's, which the browser takes for the same origin. Ask for a session before you listen elsewhere.
 */
const isAllowed = ({ headers }: IncomingMessage) => /^(localhost|127\.0\.0\.1)(:\d+)?$/.test(headers.host ?? "");

const jobs = toNodeHandler(createJobHandler(reporter, { authorize: () => true })); // behind isAllowed, as all else
const page = (await readFile(new URL("page.html", import.meta.url), "utf8")).replaceAll("\r\n", "\n");
const onlyItsOwn = (tag: "script" | "style") => {
  const text = page.match(new RegExp(`<${tag}[^>]*>(.*?)</${tag}>`, "s"))?.[1] ?? "";
  return `${tag}-src 'sha256-${createHash("sha256").update(text).digest("base64")}'`;
};
const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "x-content-type-options": "nosniff",
  "content-security-policy": `default-src 'none'; connect-src 'self'; img-src data:; ${onlyItsOwn("script")}; ${onlyItsOwn("style")}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
};

const server = createServer(async (request, response) => {
  const path = request.url?.split("?")[0];
  if (!isAllowed(request)) response.writeHead(403).end();
  else if (request.method === "GET" && path === "/") response.writeHead(200, pageHeaders).end(page);
  else if (request.method === "GET" && path === "/jobs/events") await streamJobs(response);
  else await jobs(request, response);
}).listen(Number(PORT), "127.0.0.1");
await once(server, "listening");
console.log(`Dashboard: http://127.0.0.1:${PORT}`);

const ending = new AbortController();
const demo = process.argv.includes("--demo") ? runDemoJobs(reporter, ending.signal) : undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, shutDown);

async function shutDown() {
  ending.abort();
  server.close();
  server.closeAllConnections();
  await demo;
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
  const send = async (event: "jobs" | "job", data: unknown) => {
    const taken = response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    if (!taken) await once(response, "drain", { signal }); // meanwhile watch() keeps the newest state only
  };
  const followed = new Map<string, { endedAs: string | null }>();
  const follow = async (id: string) => {
    const job = { endedAs: null as string | null };
    followed.set(id, job);
    try {
      for await (const view of reporter.watch(id, { signal })) {
        if (followed.get(id) !== job) return; // it has left the list
        await send("job", view);
        if (view.finished_at !== null) job.endedAs = `${view.attempts} ${view.status}`;
      }
    } catch {
      followed.delete(id); // the next look at the list tries again
    }
  };
  for (let look = 0, last = ""; !signal.aborted; look++) {
    const list = await recentList().catch(() => null);
    if (list === null) break; // the page says that it is cut off, and asks again
    if (!response.headersSent)
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    const listed = new Map(list.jobs.map(({ id, state }) => [id, state]));
    for (const id of followed.keys()) if (!listed.has(id)) followed.delete(id);
    for (const [id, state] of listed) {
      const { endedAs } = followed.get(id) ?? { endedAs: "" };
      if (endedAs !== null && endedAs !== state) void follow(id);
    }
    const news = { ids: [...listed.keys()], more: list.more };
    // Now and then without news too, so that the page can tell a quiet server from a dead connection.
    if (look % 10 === 0 || last !== JSON.stringify(news)) await send("jobs", news).catch(() => {});
    last = JSON.stringify(news);
    await sleep(1_000, undefined, { signal }).catch(() => {});
  }
  if (!response.headersSent) response.statusCode = 503;
  response.end();
}

interface JobList {
  /** The state is the attempt and the status: a job that ended may have ended again since. */
  readonly jobs: readonly { id: string; state: string }[];
  /** How many jobs that are not over are not among them. */
  readonly more: number;
}

let looking: Promise<JobList> | null = null;

/** The list as it was a second ago at most: one query for all pages. */
function recentList(): Promise<JobList> {
  looking ??= listJobs().finally(() =>
    setTimeout(() => {
      looking = null;
    }, 900).unref(),
  );
  return looking;
}

/** The jobs that are not over, those at work first, and those that ended last. docs/browser.md has an index for each. */
async function listJobs(): Promise<JobList> {
  const rows = await db.rows<{ id: string; state: string; all: number }>(`
    (select id::text, concat(attempts, ' ', status) as state, (count(*) over ())::integer as all
     from worker_progress_jobs where finished_at is null order by status in ('pending', 'queued'), id limit 50)
    union all
    (select id::text, concat(attempts, ' ', status), 0 from worker_progress_jobs where finished_at is not null
     order by finished_at desc, id desc limit 12)`);
  return { jobs: rows, more: Math.max(50, ...rows.map(({ all }) => all)) - 50 };
}
