import { setTimeout as sleep } from "node:timers/promises";
import type { JobHandle, ProgressReporter } from "worker-progress";

interface Recipe {
  readonly type: string;
  /** What it does, and how many pieces of work each step has. */
  readonly steps: readonly (readonly [step: string, pieces: number, message: (piece: number, of: number) => string])[];
  /** How long a piece takes, in milliseconds. */
  readonly pieceMs: number;
  /** The piece of the last step that goes wrong. */
  readonly failsAt?: number;
}

const recipes: readonly Recipe[] = [
  {
    type: "model",
    pieceMs: 110,
    steps: [
      ["loading", 20, (piece, of) => `Reading part ${piece} of ${of}`],
      ["meshing", 150, (piece) => `${(piece * 1_840).toLocaleString("en")} triangles`],
      ["writing", 30, () => "Writing result.stl"],
    ],
  },
  {
    type: "render",
    pieceMs: 130,
    steps: [["rendering", 240, (piece, of) => `Frame ${piece} of ${of}`]],
  },
  {
    type: "import",
    pieceMs: 90,
    steps: [
      ["checking", 40, () => "Checking the columns of orders.csv"],
      [
        "importing",
        200,
        (piece, of) => `${(piece * 250).toLocaleString("en")} of ${(of * 250).toLocaleString("en")} rows`,
      ],
    ],
    failsAt: 137,
  },
  {
    type: "report",
    pieceMs: 70,
    steps: [
      ["collecting", 60, (piece, of) => `Table ${piece} of ${of}`],
      ["typesetting", 90, (piece, of) => `Page ${piece} of ${of}`],
    ],
  },
];

/** Works on made-up jobs, five at a time, until `signal` aborts. */
export async function runDemoJobs(reporter: ProgressReporter, signal: AbortSignal): Promise<void> {
  const waiting: { id: number | string; recipe: Recipe }[] = [];
  let made = 0;
  const next = async () => {
    while (waiting.length < 3) {
      const recipe = recipes[made++ % recipes.length] as Recipe;
      waiting.push({ id: await reporter.createJob({ type: recipe.type, status: "queued" }), recipe });
    }
    return waiting.shift() as (typeof waiting)[number];
  };
  const worker = async (delay: number) => {
    await sleep(delay, undefined, { signal });
    while (!signal.aborted) {
      const { id, recipe } = await next();
      await reporter.run(id, (job) => workThrough(recipe, job, signal)).catch(() => {}); // it failed or was cancelled, as the page shows
    }
  };
  await Promise.all([0, 1_500, 3_000, 4_500, 6_000].map(worker)).catch(() => {}); // the pause was aborted
}

async function workThrough(
  { steps, pieceMs, failsAt }: Recipe,
  job: JobHandle,
  ending: AbortSignal,
): Promise<{ output: string }> {
  const signal = AbortSignal.any([job.signal, ending]);
  const all = steps.reduce((sum, [, pieces]) => sum + pieces, 0);
  let done = 0;
  for (const [step, pieces, message] of steps) {
    const isLast = step === steps.at(-1)?.[0];
    for (let piece = 1; piece <= pieces; piece++, done++) {
      if (isLast && piece === failsAt)
        throw Object.assign(new Error(`Row ${(piece * 250).toLocaleString("en")} has no price`), { code: "BAD_ROW" });
      void job.progress((done / all) * 100, step, message(piece, pieces));
      await sleep(pieceMs * (0.5 + Math.random()), undefined, { signal });
    }
  }
  return { output: "result.stl" };
}
