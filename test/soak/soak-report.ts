import type { SoakOutcome } from "./run-soak.js";

/** What a soak found, as Markdown. */
export function soakReport({
  plan,
  audit,
  violations,
  faults,
  memory,
  counts,
  endings,
  deliveries,
}: SoakOutcome): string {
  const { changes, events, ...mustBeZero } = audit;
  const calls = sum(counts, "calls");
  const longest = Math.max(0, ...counts.map(({ longestCallMs }) => longestCallMs));
  return [
    `Seed ${plan.seed}: ${plan.lastsMs / 60_000} min, ${plan.processes} workers, ${plan.jobs} jobs at a time, ${faults.length} faults.`,
    "",
    "| | |",
    "|---|---|",
    `| stored changes | ${changes} |`,
    `| events stored | ${events} |`,
    `| lifecycle calls that ended a job | ${endings} |`,
    `| deliveries counted by consumers | ${deliveries.all}, ${deliveries.known} of them known already |`,
    `| events published by workers that lived to the end | ${sum(counts, "published")}, ${sum(counts, "unroutable")} let go |`,
    `| progress() calls of workers that lived to the end | ${calls}, the longest ${longest.toFixed(1)} ms |`,
    ...Object.entries(mustBeZero).map(([name, count]) => `| ${name.replaceAll("_", " ")} | ${count} |`),
    "",
    "| fault | times | until the outbox was drained, longest |",
    "|---|---|---|",
    ...faultLines(faults),
    "",
    "| process | heap, mean | slope | resident, first and last |",
    "|---|---|---|---|",
    ...[...memory].map(
      ([name, { mean, perMinute, firstResident, lastResident, samples }]) =>
        `| ${name} (${samples} samples) | ${megabytes(mean)} | ${(perMinute / 1_024).toFixed(1)} kB/min | ${megabytes(firstResident)}, ${megabytes(lastResident)} |`,
    ),
    "",
    ...outcomeLines(counts),
    "",
    violations.length === 0 ? "No promise was broken." : `BROKEN:\n${violations.map((each) => `- ${each}`).join("\n")}`,
  ].join("\n");
}

function sum(counts: SoakOutcome["counts"], name: "calls" | "published" | "unroutable"): number {
  return counts.reduce((total, each) => total + each[name], 0);
}

function faultLines(faults: SoakOutcome["faults"]): readonly string[] {
  const names = [...new Set(faults.map(({ name }) => name))].sort();
  return names.map((name) => {
    const drained = faults.filter((fault) => fault.name === name).map(({ drainedMs }) => drainedMs);
    const longest = drained.includes(null) ? "not within 30 s" : `${Math.round(Math.max(...(drained as number[])))} ms`;
    return `| ${name} | ${drained.length} | ${longest} |`;
  });
}

function outcomeLines(counts: SoakOutcome["counts"]): readonly string[] {
  const sums = new Map<string, number>();
  for (const { outcomes } of counts) {
    for (const [name, count] of Object.entries(outcomes)) sums.set(name, (sums.get(name) ?? 0) + count);
  }
  return [...sums].sort().map(([name, count]) => `- ${name}: ${count}`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MB`;
}
