import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
// Inside the project, so that the planted tests find vitest.
mkdirSync(join(root, "node_modules/.cache"), { recursive: true });
const folder = mkdtempSync(join(root, "node_modules/.cache/closing-line-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const passing = 'import { test } from "vitest";\ntest("passes", () => {});\n';

test("a run in which all is well closes with what passed", () => {
  expect(runOf("well", { "a.test.ts": passing, "b.test.ts": passing })).toEqual([0, "2 passed, 0 failed\n"]);
});

test("failed tests, files and hooks and skipped tests are counted, and the run fails", () => {
  const files = {
    "a.test.ts": `${passing}test("fails", () => {\n  throw new Error("planted");\n});\ntest.skip("skipped", () => {});\n`,
    "does-not-load.test.ts": 'import "./nowhere.js";\n',
    "hook-fails.test.ts": `${passing}import { afterAll } from "vitest";\nafterAll(() => {\n  throw new Error("planted");\n});\n`,
  };
  expect(runOf("ill", files)).toEqual([1, "2 passed, 3 failed, 1 skipped\n"]);
});

test("an error that no test caught is counted", () => {
  const stray = `${passing}test("leaves an error behind", () => void Promise.reject(new Error("planted")));\n`;
  expect(runOf("stray", { "a.test.ts": stray })).toEqual([1, "2 passed, 1 failed\n"]);
});

test("a run without tests, or whose set-up or cleaning up fails, does not close as if it were well", () => {
  const setup = 'export default () => {\n  throw new Error("planted");\n};\n';
  const teardown = 'export default () => () => {\n  throw new Error("planted");\n};\n';
  expect(runOf("empty", {})).toEqual([1, "0 passed, 1 failed\n"]);
  expect(runOf("setup", { "a.test.ts": passing, "setup.ts": setup })).toEqual([1, "0 passed, 1 failed\n"]);
  expect(runOf("teardown", { "a.test.ts": passing, "setup.ts": teardown })).toEqual([1, "1 passed, 1 failed\n"]);
});

function runOf(name: string, files: Readonly<Record<string, string>>): readonly [number | null, string] {
  const project = join(folder, name);
  mkdirSync(project);
  for (const [path, code] of Object.entries(files)) writeFileSync(join(project, path), code);
  const setup = "setup.ts" in files ? 'globalSetup: ["./setup.ts"], ' : "";
  writeFileSync(
    join(project, "vitest.config.ts"),
    `import { ClosingLineReporter } from ${JSON.stringify(join(root, "test/support/closing-line-reporter.ts"))};
export default { test: { ${setup}reporters: ["default", new ClosingLineReporter("closing-line.txt")] } };\n`,
  );
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const { status } = spawnSync(process.execPath, [vitest, "run"], { cwd: project, stdio: "ignore" });
  return [status, readFileSync(join(project, "closing-line.txt"), "utf8")];
}
