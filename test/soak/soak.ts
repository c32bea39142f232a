import { runSoak } from "./run-soak.js";
import { planFrom } from "./soak-plan.js";
import { soakReport } from "./soak-report.js";

const began = Date.now();
const outcome = await runSoak(planFrom(process.argv.slice(2)), (line) => {
  console.log(`${((Date.now() - began) / 1_000).toFixed(0).padStart(5)} s  ${line}`);
});
console.log(`\n${soakReport(outcome)}`);
// Left to end by itself, Node 24 may spin for ever over the pipes of killed children.
process.exit(outcome.violations.length === 0 ? 0 : 1);
