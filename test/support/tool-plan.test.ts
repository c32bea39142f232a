import { expect, test } from "vitest";
import { amqpConsume, chromium, howToGetTool, planTool } from "./tool-plan.js";

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

test("each tool names its own package", () => {
  expect(howToGetTool(amqpConsume)).toBe("No amqp-consume can be had: install it (Debian: apt-get install amqp-tools)");
  expect(planTool(amqpConsume, { apt: true, root: "already" }, false)).toMatchObject({
    commands: [expect.anything(), expect.arrayContaining(["amqp-tools"])],
  });
});
