import { describe, expect, test } from "vitest";
import { howToGet, type Machine, planServers, serverNames } from "./server-plan.js";

const bare: Machine = { running: new Set(), installed: new Set(), docker: false, apt: true, root: "already" };

describe("planning the servers of a test run", () => {
  test("nothing is done where the programs of every server are installed", () => {
    expect(planServers({ ...bare, installed: new Set(serverNames) })).toEqual({ kind: "ready" });
  });

  test("Docker is preferred to installing packages", () => {
    expect(planServers({ ...bare, docker: true })).toEqual({ kind: "docker", missing: serverNames });
  });

  test("only what is missing is installed", () => {
    expect(planServers({ ...bare, installed: new Set(["Redis"]) })).toEqual({
      kind: "install",
      missing: ["PostgreSQL", "RabbitMQ"],
      commands: [
        ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "update"],
        [
          "env",
          "DEBIAN_FRONTEND=noninteractive",
          "apt-get",
          "install",
          "-y",
          "--no-install-recommends",
          "postgresql",
          "rabbitmq-server",
        ],
      ],
    });
  });

  test("passwordless sudo is used where the user is not root", () => {
    const plan = planServers({ ...bare, root: "sudo" });
    expect(plan.kind === "install" && plan.commands.map((command) => command.slice(0, 2))).toEqual([
      ["sudo", "-n"],
      ["sudo", "-n"],
    ]);
  });

  test.each([
    { ...bare, root: "no" as const },
    { ...bare, apt: false },
  ])("a machine without the means is told so: $apt, $root", (machine) => {
    expect(planServers(machine)).toEqual({ kind: "impossible", missing: serverNames });
  });

  test("running servers alone will do where nothing can be installed, and what is nowhere is named", () => {
    const stuck = { ...bare, root: "no" } as const;
    const missing = serverNames;
    expect(planServers({ ...stuck, running: new Set(serverNames) })).toEqual({ kind: "sharedOnly", missing });
    expect(planServers({ ...stuck, running: new Set(["PostgreSQL", "Redis"]) })).toEqual({
      kind: "impossible",
      missing: ["RabbitMQ"],
    });
  });

  test("the way to get a server names its variable, port and package", () => {
    expect(howToGet("Redis")).toMatch(/REDIS_URL.*6379.*Docker.*redis-server/);
  });
});
