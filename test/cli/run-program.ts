import { spawn } from "node:child_process";
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

/** Starts the built program, or a copy of it. */
export function startProgram(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  file: string = program,
): Started {
  checkBuild();
  const startedAt = performance.now();
  const { DATABASE_URL: _, REDIS_URL: __, RABBITMQ_URL: ___, ...others } = process.env;
  const child = spawn(process.execPath, [file, ...args], {
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

/** Where the build is. */
export function builtFolder(): string {
  checkBuild();
  return join(root, "dist");
}

let checked = false;

/** A test of an old build would say nothing of the sources. `npm test` builds first. */
function checkBuild(): void {
  if (checked) return;
  const builtAt = existsSync(program) ? statSync(program).mtimeMs : 0;
  const sources = join(root, "src/cli");
  const newer = readdirSync(sources, { recursive: true, encoding: "utf8" }).find(
    (entry) => statSync(join(sources, entry)).mtimeMs > builtAt,
  );
  if (newer !== undefined)
    throw new Error(`Cannot run the program: src/cli/${newer} is newer than dist, run npm run build`);
  checked = true;
}
