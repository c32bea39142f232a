import { writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Writes how the run ended, as `N passed, N failed` or `N passed, N failed, N skipped`, to `file` when the process ends:
 * only then is it known whether the cleaning up went well.
 */
export class ClosingLineReporter implements Reporter {
  readonly #file: string;
  #counts: Counts = { passed: 0, failed: 0, skipped: 0 };

  constructor(file: string) {
    this.#file = file;
  }

  onInit(): void {
    process.once("exit", (code) => writeFileSync(this.#file, `${closingLine(this.#counts, code)}\n`));
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    this.#counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) this.#count(module);
  }

  #count(module: TestModule): void {
    const failedBefore = this.#counts.failed;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      // A test still pending was never run: an interrupted run must not look like a good one.
      this.#counts[state === "pending" ? "failed" : state] += 1;
    }
    // A file that does not load, or a hook that fails, has no failed test to show for it.
    if (!module.ok() && this.#counts.failed === failedBefore) this.#counts.failed += 1;
  }
}

function closingLine({ passed, failed, skipped }: Counts, exitCode: number): string {
  const shown = exitCode !== 0 && failed === 0 ? 1 : failed;
  return `${passed} passed, ${shown} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}
