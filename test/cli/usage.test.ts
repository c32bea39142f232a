import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { runProgram } from "./run-program.js";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

describe("the command line", () => {
  test("--help names every command and variable and exits 0", async () => {
    const { code, stdout, stderr } = await runProgram(["--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const word of ["demo", "migrate", "init-exchanges", "DATABASE_URL", "REDIS_URL", "RABBITMQ_URL"]) {
      expect(stdout).toContain(word);
    }
  });

  test("no arguments at all show the same help", async () => {
    expect((await runProgram([])).stdout).toBe((await runProgram(["--help"])).stdout);
  });

  test.each([
    ["demo", ["--database-url", "--redis-url", "--amqp-url", "--schema", "--jobs", "--seconds", "--no-color"]],
    ["migrate", ["--print", "--database-url", "--schema", "--outbox-table"]],
    ["init-exchanges", ["--amqp-url", "--events-exchange", "--outbound-exchange"]],
  ])("%s --help names its flags", async (command, flags) => {
    const { code, stdout } = await runProgram([command, "--help"]);
    expect(code).toBe(0);
    for (const flag of flags) expect(stdout).toContain(flag);
  });

  test("--version prints the version of the package", async () => {
    expect(await runProgram(["--version"])).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  test.each([
    [["dmo"], 'Unknown command "dmo", known are demo, migrate, init-exchanges'],
    [["demo", "--job", "3"], 'Unknown option "--job"'],
    [["--job"], 'Unknown option "--job"'],
    [["demo", "now"], 'Unexpected argument "now"'],
    [["demo", "--jobs", "many"], '--jobs must be a number from 1 to 1000, got "many"'],
    [["demo", "--jobs", "0"], '--jobs must be a number from 1 to 1000, got "0"'],
    [["demo", "--seconds", "1e9"], '--seconds must be a number from 0.1 to 3600, got "1e9"'],
    [["demo", "--database-url", "mysql://x"], "--database-url must be a URL that begins with postgres://"],
    [["demo", "--redis-url", "localhost"], "--redis-url must be a URL that begins with redis:// or rediss://"],
    [["init-exchanges", "--amqp-url", "amqp://a:b:c"], "--amqp-url must be a URL that begins with amqp:// or amqps://"],
    [["init-exchanges"], "It needs a RabbitMQ: pass --amqp-url or set RABBITMQ_URL"],
    [["migrate"], "It needs a database: pass --database-url or set DATABASE_URL"],
  ])("%j is answered on stderr with exit code 2", async (args, message) => {
    const { code, stdout, stderr } = await runProgram(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^worker-progress: .*\nSee worker-progress .*--help\n$/);
    expect(stderr).toContain(`worker-progress: ${message}`);
  });

  test("a wrong URL in the environment is named by its variable", async () => {
    const { code, stderr } = await runProgram(["demo"], { RABBITMQ_URL: "http://localhost" });
    expect(code).toBe(2);
    expect(stderr).toContain("RABBITMQ_URL must be a URL");
  });
});
