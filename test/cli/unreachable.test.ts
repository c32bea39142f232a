import { beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../support/free-port.js";
import { runProgram } from "./run-program.js";

const password = "hunter2secret";

describe("a server that refuses connections is a sentence within 10 s, without the password, and exit code 1", () => {
  let port: number;

  beforeAll(async () => {
    port = await freePort();
  });

  test.each([
    ["migrate", "--database-url", "postgres", "STORAGE_UNAVAILABLE"],
    ["demo", "--database-url", "postgres", "STORAGE_UNAVAILABLE"],
    ["demo", "--redis-url", "redis", "REDIS_UNREACHABLE"],
    ["demo", "--amqp-url", "amqp", "PUBLISHER_UNAVAILABLE"],
    ["init-exchanges", "--amqp-url", "amqp", "PUBLISHER_UNAVAILABLE"],
  ])("%s %s", async (command, flag, protocol, code) => {
    const url = `${protocol}://somebody:${password}@127.0.0.1:${port}`;
    for (const debug of [[], ["--debug"]]) {
      const ended = await runProgram([command, flag, url, ...debug]);
      expect(ended.code).toBe(1);
      expect(ended.tookMs).toBeLessThan(10_000);
      expect(ended.stderr).toMatch(new RegExp(`^worker-progress: ${code}: .*127\\.0\\.0\\.1:${port}`));
      expect(ended.stderr.trimEnd().includes("\n")).toBe(debug.length > 0);
      expect(ended.stdout + ended.stderr).not.toContain(password);
    }
  });
});
