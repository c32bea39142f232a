import { defineConfig } from "vitest/config";
import { ClosingLineReporter } from "./test/support/closing-line-reporter.js";

const closingLineFile = process.env.CLOSING_LINE_FILE;
const guarantees = "test/guarantees/**/*.test.ts";
const faults = ["test/{faults,clusters,overload,shutdown,soak}/**/*.test.ts", "test/security/{tls,secrets}.test.ts"];

export default defineConfig({
  test: {
    globalSetup: ["test/support/global-setup.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // The servers that the tests share do not get faster with more clients at once.
    maxWorkers: 2,
    reporters: ["default", ...(closingLineFile ? [new ClosingLineReporter(closingLineFile)] : [])],
    projects: [
      {
        extends: true,
        test: {
          name: "library",
          include: ["test/**/*.test.ts"],
          exclude: [guarantees, ...faults],
          sequence: { groupOrder: 0 },
        },
      },
      {
        // They wait for servers of their own more than they work.
        extends: true,
        test: {
          name: "faults",
          include: faults,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // They time what they see: nothing else may run beside them.
        extends: true,
        test: { name: "guarantees", include: [guarantees], fileParallelism: false, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
