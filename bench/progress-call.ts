/**
 * What a throttled progress() costs: nanoseconds per call and bytes per call beside an empty async function.
 * Run: npm run bench:progress
 */
import { createProgressReporter } from "worker-progress";
import { memoryThrottle } from "worker-progress/memory";

const calls = 2_000_000;
const rounds = 9;

declare const gc: (() => void) | undefined;

const reporter = createProgressReporter(undefined, memoryThrottle(), undefined, {
  windowMs: 3_600_000,
  log: { warn() {} },
});
const id = String(await reporter.createJob());
const job = await reporter.startJob(id);
await job.forceProgress(1);
await job.progress(1);
void job.progress(1);

async function empty(_id: string, _percent: number, _step: string, _message: string): Promise<void> {}

// Rises through all rounds: a lower percent would be rejected.
let done = 0;
const percent = () => 1 + done++ * 1e-7;

const contenders: Readonly<Record<string, () => Promise<unknown>>> = {
  "empty async function": () => empty(id, percent(), "loop", "working"),
  "progress(id, …)": () => reporter.progress(id, percent(), "loop", "working"),
  "job.progress(…)": () => job.progress(percent(), "loop", "working"),
};

const plain = new Map<string, number[]>();
const waiting = new Map<string, number[]>();
const kept = new Map<string, number>();
for (let round = 0; round < rounds; round++) {
  for (const [name, call] of Object.entries(contenders)) {
    gc?.();
    const before = process.memoryUsage().heapUsed;
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) void call();
    note(plain, name, Number(process.hrtime.bigint() - start) / calls);
    gc?.();
    kept.set(name, (process.memoryUsage().heapUsed - before) / calls);
  }
  for (const [name, call] of Object.entries(contenders)) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < calls / 4; i++) await call();
    note(waiting, name, Number(process.hrtime.bigint() - start) / (calls / 4));
  }
}

const base = median(plain.get("empty async function"));
const baseAwaited = median(waiting.get("empty async function"));
console.log("| call | ns | x | awaited ns | x | bytes kept |");
console.log("|---|---|---|---|---|---|");
for (const name of Object.keys(contenders)) {
  const ns = median(plain.get(name));
  const awaitedNs = median(waiting.get(name));
  const cells = [
    ns.toFixed(1),
    (ns / base).toFixed(2),
    awaitedNs.toFixed(1),
    (awaitedNs / baseAwaited).toFixed(2),
    gc === undefined ? "?" : Math.max(0, kept.get(name) ?? 0).toFixed(2),
  ];
  console.log(`| ${name} | ${cells.join(" | ")} |`);
}
await reporter.close();

function note(into: Map<string, number[]>, name: string, ns: number): void {
  into.set(name, [...(into.get(name) ?? []), ns]);
}

function median(values: readonly number[] = []): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
