import { Cluster } from "ioredis";
import { redisLive } from "../../src/adapters/redis/index.js";
import { progressOf } from "../../src/conformance/live-fixtures.js";
import { createProgressReporter } from "../../src/index.js";
import { optionsOn, type StageAddress } from "../guarantees/stage-address.js";

/** What a process does before it simply ends, without closing anything. */
export type LiveTask =
  | { readonly kind: "reporter"; readonly address: StageAddress; readonly jobId: string }
  | { readonly kind: "live"; readonly redisUrl: string }
  | { readonly kind: "cluster"; readonly nodes: readonly { readonly host: string; readonly port: number }[] };

const [text = "{}", keyPrefix = ""] = process.argv.slice(2);
const task = JSON.parse(text) as LiveTask;

if (task.kind === "reporter") {
  const { databaseUrl, redisUrl, rabbitmqUrl } = task.address;
  // An event that no queue is bound for is said, and is not what this is about.
  const options = optionsOn(task.address, { log: { warn: () => {} } });
  const reporter = createProgressReporter(databaseUrl, redisUrl, rabbitmqUrl, options);
  await reporter.startJob(task.jobId);
  process.send?.(await reporter.forceProgress(task.jobId, 50));
} else {
  const source = task.kind === "live" ? task.redisUrl : new Cluster([...task.nodes], { lazyConnect: true });
  const live = redisLive(source, { keyPrefix, timeoutMs: 5_000 });
  await live.subscribe("job", { onMessage: () => {}, onGap: () => {} });
  await live.subscribeCancellations({ onMessage: () => {}, onGap: () => {} });
  await live.publish([progressOf("job", 1)]);
  process.send?.(await live.latest(["job"]));
}

// How long the process waits from now on: one that is stopped does not wait.
let waitedMs = 0;
setInterval(() => {
  waitedMs += 50;
}, 50).unref();
process.on("exit", () => console.log(waitedMs));
