import fc from "fast-check";
import { test } from "vitest";
import { brokenPromises } from "./check-history.js";
import { histories } from "./history.js";

// The same histories in every run; `npm run test:soak` tries others.
const numRuns = Number(process.env.MODEL_RUNS ?? 300);
const seed = Number(process.env.MODEL_SEED ?? 308);
const path = process.env.MODEL_PATH === undefined ? {} : { path: process.env.MODEL_PATH };

test("whatever several processes call in whatever order, whatever fails and whoever dies, every promise holds", async () => {
  await fc.assert(
    fc.asyncProperty(histories(60), async (history) => {
      const broken = await brokenPromises(history);
      if (broken.length > 0) throw new Error(`\n  ${broken.join("\n  ")}`);
    }),
    { numRuns, seed, ...path },
  );
}, 600_000);
