import { defineConfig } from "vitest/config";
import { ClosingLineReporter } from "./test/support/closing-line-reporter.js";

const closingLineFile = process.env.CLOSING_LINE_FILE;

export default defineConfig({
  resolve: { tsconfigPaths: false },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // The servers that the tests share do not get faster with more clients at once.
    maxWorkers: 2,
    reporters: ["default", ...(closingLineFile ? [new ClosingLineReporter(closingLineFile)] : [])],
  },
});
