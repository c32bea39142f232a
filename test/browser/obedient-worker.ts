import { setTimeout as sleep } from "node:timers/promises";
import { createProgressReporter } from "worker-progress";
import type { Backstage } from "./dashboard-process.js";

/** What the test tells the worker to do next. */
export type Order =
  | { readonly kind: "report"; readonly percent: number; readonly step?: string; readonly message?: string }
  /** Reports each percent up to `percent`, as much work as takes this long. */
  | { readonly kind: "workTo"; readonly percent: number; readonly everyMs: number }
  | { readonly kind: "complete" }
  | { readonly kind: "fail"; readonly code: string; readonly message: string };

/** What the worker tells the test. */
export type Told = { readonly kind: "started" } | { readonly kind: "ended"; readonly by: string };

const { databaseUrl, redisUrl, jobId } = JSON.parse(process.argv[2] ?? "") as Backstage & { readonly jobId: string };
// Else a pause of this process drops a live update, and the page is told after ten seconds of silence.
const redis = { timeoutMs: 10_000 };
const reporter = createProgressReporter(databaseUrl, redisUrl, null, { windowMs: 500, redis });
const orders: Order[] = [];
let arrived = Promise.withResolvers<void>();
process.on("message", (order: Order) => {
  orders.push(order);
  arrived.resolve();
});

const work = reporter.run(jobId, async (job) => {
  const aborted = new Promise<never>((_, reject) => {
    job.signal.addEventListener("abort", () => reject(job.signal.reason));
  });
  aborted.catch(() => {}); // it may be at work, not waiting, when it is aborted
  process.send?.({ kind: "started" } satisfies Told);
  let percent = 0;
  for (;;) {
    const order = orders.shift();
    if (order === undefined) {
      arrived = Promise.withResolvers();
      await Promise.race([arrived.promise, aborted]);
    } else if (order.kind === "complete") return "result.stl";
    else if (order.kind === "fail") throw Object.assign(new Error(order.message), { code: order.code });
    else if (order.kind === "report") {
      percent = order.percent;
      void job.progress(percent, order.step ?? "meshing", order.message);
    } else {
      while (percent < order.percent) {
        percent++;
        void job.progress(percent, "meshing", `Triangle ${percent * 1_000}`);
        await sleep(order.everyMs, undefined, { signal: job.signal });
      }
    }
  }
});
const by = await work.then(
  () => "result",
  (error: Error) => error.name,
);
await reporter.close();
process.send?.({ kind: "ended", by } satisfies Told);
process.disconnect?.();
