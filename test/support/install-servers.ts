import "./resolve-typescript.mjs";
import { execFileSync, spawnSync } from "node:child_process";
import type { Command, Machine, Plan, ServerName } from "./server-plan.js";
import type { Tool } from "./tool-plan.js";

const { planServers, serverNames, howToGet } = await import("./server-plan.js");
const { amqpConsume, chromium, howToGetTool, pgbouncer, pikaAndJsonschema, planTool } = await import("./tool-plan.js");
const { findRunning, dockerWorks } = await import("./server-search.js");
const { findProgram, hasPrograms } = await import("./server-programs.js");
const { pythonWith } = await import("./python-programs.js");

try {
  const machine = await lookAround();
  carryOut(planServers(machine));
  for (const tool of [chromium, amqpConsume, pikaAndJsonschema, pgbouncer]) provide(tool, machine);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function carryOut(plan: Plan): void {
  switch (plan.kind) {
    case "ready":
      say("every server that the tests need is here");
      break;
    case "docker":
      say(`${plan.missing.join(", ")} will run in Docker`);
      break;
    case "install":
      say(`${plan.missing.join(", ")} missing, no Docker: installing Debian packages`);
      runAll(plan.commands);
      break;
    case "sharedOnly":
      say(`tests that kill a server of their own will fail: no programs of ${plan.missing.join(", ")}, no Docker`);
      break;
    case "impossible":
      for (const name of plan.missing) console.error(howToGet(name));
      process.exitCode = 1;
  }
}

// Without a tool only the tests that need it fail, and say so again: the others are worth running.
function provide(tool: Tool, machine: Machine): void {
  const plan = planTool(tool, machine, isHere(tool));
  try {
    if (plan.kind === "install") {
      say(`${tool.name} missing: installing Debian packages`);
      runAll(plan.commands);
    }
    say(plan.kind === "impossible" ? howToGetTool(tool) : `${tool.name}: installed`);
  } catch {
    say(howToGetTool(tool));
  }
}

function isHere({ programs, pythonModules }: Tool): boolean {
  return pythonModules ? pythonWith(pythonModules) !== null : programs.some(findProgram);
}

function runAll(commands: readonly Command[]): void {
  for (const [program, ...args] of commands) {
    say([program, ...args].join(" "));
    execFileSync(program, args, { stdio: "inherit" });
  }
}

async function lookAround(): Promise<Machine> {
  const running = new Set<ServerName>();
  for (const name of serverNames) {
    const found = await findRunning(name);
    if (found !== null) running.add(name);
    say(`${name}: ${found?.how ?? (hasPrograms(name) ? "programs installed" : "not here")}`);
  }
  const installed = new Set(serverNames.filter(hasPrograms));
  return {
    running,
    installed,
    docker: installed.size < serverNames.length && (await dockerWorks()),
    apt: findProgram("apt-get") !== null,
    root: process.getuid?.() === 0 ? "already" : spawnSync("sudo", ["-n", "true"]).status === 0 ? "sudo" : "no",
  };
}

function say(line: string): void {
  console.log(`servers: ${line}`);
}
