import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import fc from "fast-check";
import { brokenPromises, emptyTally, type Tally } from "./check-history.js";
import { type History, histories } from "./history.js";

/**
 * `node … soak.ts [--histories 10000] [--seed 1] [--path …] [--workers 2] [--unshrunk]`: many histories on all cores. What
 * fails is made as short as can be, unless `--unshrunk` asks for the first failure as it was.
 */

interface Share {
  readonly seed: number;
  readonly numRuns: number;
  readonly path: string;
  readonly unshrunk: boolean;
}

interface Outcome {
  readonly tried: number;
  readonly tally: Tally;
  /** What to read when it failed; null when every promise held. */
  readonly report: string | null;
}

async function live({ seed, numRuns, path, unshrunk }: Share): Promise<Outcome> {
  const tally = emptyTally();
  const property = fc.asyncProperty(histories(60), async (history: History) => {
    const broken = await brokenPromises(history, tally);
    if (broken.length > 0) throw new Error(`\n  ${broken.join("\n  ")}`);
  });
  const details = await fc.check(property, { seed, numRuns, endOnFailure: unshrunk, ...(path === "" ? {} : { path }) });
  const error = details.errorInstance;
  const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const report = details.failed ? `${fc.defaultReportMessage(details)}\n${cause}` : null;
  return { tried: details.numRuns, tally, report };
}

function argument(name: string, fallback: string): string {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : (process.argv[at + 1] ?? fallback);
}

function outcomeOf(share: Share): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: share });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

async function soak(): Promise<void> {
  const wanted = Number(argument("histories", "10000"));
  const seed = Number(argument("seed", String(Date.now() % 2 ** 31)));
  const path = argument("path", "");
  const workers = path === "" ? Number(argument("workers", String(availableParallelism()))) : 1;
  const unshrunk = process.argv.includes("--unshrunk");
  const began = performance.now();
  const numRuns = Math.ceil(wanted / workers);
  const shares = Array.from({ length: workers }, (_, i) => ({ seed: seed + i, numRuns, path, unshrunk }));
  const outcomes = await Promise.all(shares.map(outcomeOf));
  const seconds = (performance.now() - began) / 1_000;
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + of(outcome), 0);
  const tried = sum((outcome) => outcome.tried);
  const lines = [
    `histories  ${tried} in ${seconds.toFixed(1)} s (${(tried / seconds).toFixed(0)} a second), seeds ${shares.map((share) => share.seed).join(", ")}`,
    ...(Object.keys(emptyTally()) as (keyof Tally)[]).map((name) => {
      return `${name.padEnd(10)} ${sum(({ tally }) => tally[name])}`;
    }),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  for (const { report } of outcomes) {
    if (report === null) continue;
    process.exitCode = 1;
    process.stdout.write(`\n${report}\n`);
  }
}

if (isMainThread) await soak();
else parentPort?.postMessage(await live(workerData as Share));
