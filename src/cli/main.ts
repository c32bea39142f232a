#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { exitCodeOf, failureText } from "./failure-text.js";
import { parseCommandLine } from "./parse-command-line.js";
import { runCommand } from "./run-command.js";
import { screenOn } from "./screen.js";

const exitWithinMs = 3_000;
const { argv, env, stdout, stderr } = process;
const args = argv.slice(2);
const debug = args.includes("--debug");
const color = stdout.isTTY === true && !args.includes("--no-color") && !env.NO_COLOR && env.TERM !== "dumb";
const screen = screenOn(stdout, color);
const interruption = new AbortController();

// `worker-progress demo | head` closes the pipe: there is nobody left to tell.
stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
process.once("exit", () => screen.end());

try {
  const command = parseCommandLine(args, env);
  if (command.name === "demo") process.once("SIGINT", () => interruption.abort());
  await runCommand(command, { screen, version: ownVersion(), interrupted: interruption.signal });
  process.exitCode = interruption.signal.aborted ? 130 : 0;
} catch (error) {
  screen.end();
  stderr.write(failureText(error, debug, knownUrls()));
  process.exitCode = exitCodeOf(error);
}

// What a server that stopped answering still holds open must not keep a command that is over.
setTimeout(() => process.exit(), exitWithinMs).unref();

/** Two folders up from here in the sources as in the package. */
function ownVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

function knownUrls(): string[] {
  const fromArgs = args.map((arg) => arg.replace(/^--[a-z-]+=/, ""));
  const candidates = [...fromArgs, env.DATABASE_URL, env.REDIS_URL, env.RABBITMQ_URL];
  return candidates.filter((candidate) => candidate?.includes("://")) as string[];
}
