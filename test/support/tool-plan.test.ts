import { expect, test } from "vitest";
import { amqpConsume, chromium, howToGetTool, pgbouncer, pikaAndJsonschema, planTool } from "./tool-plan.js";

test("nothing is done where the tool is", () => {
  expect(planTool(chromium, { apt: true, root: "already" }, true)).toEqual({ kind: "ready" });
});

test("a missing tool is installed by apt, as root or by sudo", () => {
  const env = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
  const install = [...env, "install", "-y", "--no-install-recommends", "chromium"];
  expect(planTool(chromium, { apt: true, root: "already" }, false)).toEqual({
    kind: "install",
    commands: [[...env, "update"], install],
  });
  expect(planTool(chromium, { apt: true, root: "sudo" }, false)).toMatchObject({
    commands: [expect.anything(), ["sudo", "-n", ...install]],
  });
});

test.each([
  { apt: false, root: "already" as const },
  { apt: true, root: "no" as const },
])("a machine without the means is told so: apt $apt, root $root", (machine) => {
  expect(planTool(chromium, machine, false)).toEqual({ kind: "impossible" });
});

test.each([
  [amqpConsume, "amqp-consume", ["amqp-tools"]],
  [pikaAndJsonschema, "Python with pika and jsonschema", ["python3-pika", "python3-jsonschema"]],
  [pgbouncer, "PgBouncer", ["pgbouncer"]],
])("each tool names its own packages: $name", (tool, name, packages) => {
  const install = `apt-get install ${packages.join(" ")}`;
  expect(howToGetTool(tool)).toBe(`No ${name} can be had: install it (Debian: ${install})`);
  expect(planTool(tool, { apt: true, root: "already" }, false)).toMatchObject({
    commands: [expect.anything(), expect.arrayContaining(packages)],
  });
});
