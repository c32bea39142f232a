import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commonjsSource, consumerSource } from "./consumer-source.js";
import { installNode, installPacked, type PackedConsumer } from "./packed-consumer.js";

const exec = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const oldestNode = "v22.12.0";

let consumer: PackedConsumer;
beforeAll(async () => {
  consumer = await installPacked();
}, 120_000);
afterAll(() => consumer?.remove());

test("the package holds what is built, its declarations and its papers, nothing else", () => {
  const papers = ["CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "package.json"];
  expect(consumer.packed.filter((path) => !path.startsWith("dist/")).sort()).toEqual(papers);
  expect(consumer.packed.filter((path) => path.startsWith("dist/") && !/\.(js|d\.ts)$/.test(path))).toEqual([]);
  expect(consumer.packed).toEqual(expect.arrayContaining(["dist/index.js", "dist/index.d.ts", "dist/cli/main.js"]));
  const scripts = consumer.packed.filter((path) => path.endsWith(".js"));
  const mapped = scripts.filter((path) => readFileSync(join(root, path), "utf8").includes("sourceMappingURL"));
  expect(mapped).toEqual([]);
});

test("installing it installs no client of a server", () => {
  const clients = ["pg", "ioredis", "amqplib", "@electric-sql/pglite", "rate-limiter-flexible"];
  expect(clients.filter((name) => existsSync(join(consumer.folder, "node_modules", name)))).toEqual([]);
});

describe.each([
  [process.version, async () => process.execPath],
  [oldestNode, (version: string) => installNode(version, join(consumer.folder, "oldest-node"))],
])("on Node %s", (version, node) => {
  let program: string;
  beforeAll(async () => {
    program = await node(version);
  }, 120_000);

  const report = "console.log(process.version, typeof createProgressReporter);\n";

  test("an ES module imports every entry without any client installed", async () => {
    const imports = entries().map((entry) => `await import("${entry}");\n`);
    const script = `${imports.join("")}import { createProgressReporter } from "worker-progress";\n${report}`;
    expect(await consumer.run("import.mjs", script, program)).toBe(`${version} function\n`);
  });

  test("a CommonJS module requires every entry without any client installed", async () => {
    const requires = entries().map((entry) => `require("${entry}");\n`);
    const script = `${requires.join("")}const { createProgressReporter } = require("worker-progress");\n${report}`;
    expect(await consumer.run("require.cjs", script, program)).toBe(`${version} function\n`);
  });

  test("the program shows its help", async () => {
    const bin = join(consumer.folder, "node_modules/.bin/worker-progress");
    const { stdout } = await exec(program, [bin, "--help"]);
    expect(stdout).toContain("worker-progress migrate");
  });
});

test("the installed program can be executed as it is", async () => {
  const { stdout } = await exec(join(consumer.folder, "node_modules/.bin/worker-progress"), ["--help"]);
  expect(stdout).toContain("worker-progress demo");
});

test("using an adapter whose client is not installed says which package to install", async () => {
  const script = `
import { createProgressReporter } from "worker-progress";
import { createEventConsumer } from "worker-progress/consumer";
import { createJobHandler } from "worker-progress/http";
import { postgresStorage } from "worker-progress/postgres";
import { rabbitmqPublisher } from "worker-progress/rabbitmq";
import { redisDedupe, redisLive, redisThrottle } from "worker-progress/redis";

// Redis is never needed: its adapters warn at once and go on without.
const warns = (open) => new Promise((_, reject) => {
  open({ log: { warn: (_, { reason }) => reject({ code: "warned", message: reason }) } });
});
const reading = { queue: "jobs", handler: async () => {} };
const limited = { authorize: () => true, rateLimit: { points: 1, durationSeconds: 1, key: () => "" } };
const uses = {
  "a postgres URL": () => postgresStorage("postgres://nobody@127.0.0.1:1/none").prepare(),
  "an embedded database": () => postgresStorage("memory://").prepare(),
  "a redis URL": () => warns((options) => redisThrottle("redis://127.0.0.1:1", options)),
  "a redis URL for deduplication": () => warns((options) => redisDedupe("redis://127.0.0.1:1", options)),
  "a redis URL for live updates": () => warns((options) => redisLive("redis://127.0.0.1:1", options)),
  "an amqp URL": () => rabbitmqPublisher("amqp://127.0.0.1:1").setup(),
  "a consumer of an amqp URL": () => createEventConsumer("amqp://127.0.0.1:1", reading).start(),
  "a handler with a rate limit": async () => createJobHandler({}, limited),
  "a reporter on a postgres URL": () => createProgressReporter("postgres://nobody@127.0.0.1:1/none").startJob(1),
  "an embedded reporter": () => createProgressReporter().createJob(),
};
const answers = {};
for (const [use, call] of Object.entries(uses)) {
  answers[use] = await call().then(
    () => "worked",
    ({ code, message }) => [code, /npm install [^ ]+$/.exec(message)?.[0]],
  );
}
process.stdout.write(JSON.stringify(answers));
process.exit();
`;
  const install = (name: string) => ["MISSING_DEPENDENCY", `npm install ${name}`];
  expect(JSON.parse(await consumer.run("missing.mjs", script))).toEqual({
    "a postgres URL": install("pg"),
    "an embedded database": install("@electric-sql/pglite"),
    "a redis URL": ["warned", "npm install ioredis"],
    "a redis URL for deduplication": ["warned", "npm install ioredis"],
    "a redis URL for live updates": ["warned", "npm install ioredis"],
    "an amqp URL": install("amqplib"),
    "a consumer of an amqp URL": install("amqplib"),
    "a handler with a rate limit": install("rate-limiter-flexible"),
    "a reporter on a postgres URL": install("pg"),
    "an embedded reporter": install("@electric-sql/pglite"),
  });
});

test("its declarations compile for a strict user who has none of the clients' types", async () => {
  const compilerOptions = {
    module: "nodenext",
    target: "es2023",
    lib: ["es2023", "esnext.disposable"],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    typeRoots: [join(root, "node_modules/@types")],
    types: ["node"],
  };
  await writeFile(join(consumer.folder, "consumer.mts"), consumerSource);
  await writeFile(join(consumer.folder, "consumer.cts"), commonjsSource);
  const config = JSON.stringify({ compilerOptions, files: ["consumer.mts", "consumer.cts"] });
  await writeFile(join(consumer.folder, "tsconfig.json"), config);
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const compiled = exec(process.execPath, [tsc, "-p", consumer.folder]).then(
    () => "",
    ({ stdout }: { stdout: string }) => stdout,
  );
  expect(await compiled).toBe("");
}, 60_000);

function entries(): readonly string[] {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { exports: object };
  return Object.keys(exports).flatMap((path) => (path.endsWith(".json") ? [] : [path.replace(".", "worker-progress")]));
}
