import { expect, test } from "vitest";
import { planBrowser } from "./browser-plan.js";

test("nothing is done where there is a browser", () => {
  expect(planBrowser({ apt: true, root: "already" }, true)).toEqual({ kind: "ready" });
});

test("a missing browser is installed by apt, as root or by sudo", () => {
  const env = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
  const install = [...env, "install", "-y", "--no-install-recommends", "chromium"];
  expect(planBrowser({ apt: true, root: "already" }, false)).toEqual({
    kind: "install",
    commands: [[...env, "update"], install],
  });
  expect(planBrowser({ apt: true, root: "sudo" }, false)).toMatchObject({
    commands: [expect.anything(), ["sudo", "-n", ...install]],
  });
});

test.each([
  { apt: false, root: "already" as const },
  { apt: true, root: "no" as const },
])("a machine without the means is told so: apt $apt, root $root", (machine) => {
  expect(planBrowser(machine, false)).toEqual({ kind: "impossible" });
});
