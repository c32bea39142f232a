import { execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const program = join(root, "dist/cli/main.js");

/** How the program ended, what it printed, and how long it took in milliseconds. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
}

/** Runs the built program without any server in its environment but those of `env`. */
export function runProgram(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return startProgram(args, env).ended;
}

/** A program under way. */
export interface Started {
  readonly ended: Promise<Ended>;
  /** What it has printed so far. */
  stdout(): string;
  kill(signal: NodeJS.Signals): void;
}

/** Starts the built program. */
export function startProgram(args: readonly string[], env: Readonly<Record<string, string>> = {}): Started {
  buildIfStale();
  const startedAt = performance.now();
  const { DATABASE_URL: _, REDIS_URL: __, RABBITMQ_URL: ___, ...others } = process.env;
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...others, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      printed[name] += text;
    });
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...printed, tookMs: performance.now() - startedAt }));
  });
  return { ended, stdout: () => printed.stdout, kill: (signal) => void child.kill(signal) };
}

let fresh = false;

/** `npm test` builds first; whoever runs one file gets the build of what is in the sources now. */
function buildIfStale(): void {
  fresh ||= existsSync(program) && statSync(program).mtimeMs > newest(join(root, "src"));
  if (!fresh) execFileSync(join(root, "node_modules/.bin/tsup"), { cwd: root, stdio: "pipe" });
  fresh = true;
}

function newest(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return Math.max(...entries.map((entry) => statSync(join(folder, entry)).mtimeMs));
}
