import { runSoak } from "./run-soak.js";
import { planFrom } from "./soak-plan.js";
import { soakReport } from "./soak-report.js";

const began = Date.now();
const outcome = await runSoak(planFrom(process.argv.slice(2)), (line) => {
  console.log(`${((Date.now() - began) / 1_000).toFixed(0).padStart(5)} s  ${line}`);
});
console.log(`\n${soakReport(outcome)}`);
process.exitCode = outcome.violations.length === 0 ? 0 : 1;
