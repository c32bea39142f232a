import fc from "fast-check";
import { test } from "vitest";
import { brokenPromises } from "./check-history.js";
import { histories } from "./history.js";

const numRuns = Number(process.env.MODEL_RUNS ?? 300);
const seed = process.env.MODEL_SEED === undefined ? {} : { seed: Number(process.env.MODEL_SEED) };
const path = process.env.MODEL_PATH === undefined ? {} : { path: process.env.MODEL_PATH };

test("whatever several processes call in whatever order, whatever fails and whoever dies, every promise holds", async () => {
  await fc.assert(
    fc.asyncProperty(histories(60), async (history) => {
      const broken = await brokenPromises(history);
      if (broken.length > 0) throw new Error(`\n  ${broken.join("\n  ")}`);
    }),
    { numRuns, ...seed, ...path },
  );
}, 600_000);
