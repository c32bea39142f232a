import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onDeath } from "./process-guard.js";

/** How to start a server program. */
export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** The server's own folder: its log goes there, and it is removed when this process dies. */
  readonly folder: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
  /** The signal that ends it in good order. */
  readonly endSignal: NodeJS.Signals;
}

/** A running server program. */
export interface ServerProcess {
  readonly pid: number;
  readonly exited: boolean;
  /** SIGKILL to it and everything it started. */
  kill(): Promise<void>;
  /** Asks it to end, and kills it after ten seconds. */
  end(): Promise<void>;
}

/** Starts a server program that dies, and whose folder is removed, when this process does, even by SIGKILL. */
export async function startProcess(command: ServerCommand): Promise<ServerProcess> {
  const log = openSync(join(command.folder, "server.log"), "a");
  const child = spawn(command.program, command.args, {
    cwd: command.folder,
    detached: true,
    stdio: ["ignore", log, log],
    ...(command.env && { env: command.env }),
    ...(command.uid !== undefined && { uid: command.uid, gid: command.gid }),
  });
  closeSync(log);
  await once(child, "spawn");
  const pid = child.pid as number;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const guard = onDeath('kill -KILL "-$1"; sleep 0.3; rm -rf "$2"', String(pid), command.folder);
  child.unref();
  void gone.then(() => guard.dismiss());
  const kill = async () => {
    child.ref();
    const family = [...descendants(pid), pid];
    for (const each of family) signal(each, "SIGKILL");
    await gone;
    while (livingProcesses().some(([each]) => family.includes(each))) await sleep(5);
  };
  return {
    pid,
    get exited() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    kill,
    async end() {
      child.ref();
      signal(pid, command.endSignal);
      const late = setTimeout(() => void kill(), 10_000);
      await gone;
      clearTimeout(late);
    },
  };
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

// PostgreSQL's backends and Erlang's ports lead groups of their own, so a group signal misses them.
function descendants(pid: number): number[] {
  const living = livingProcesses();
  const found: number[] = [];
  for (const queue = [pid]; queue.length > 0; ) {
    const parent = queue.pop();
    const children = living.filter(([, ppid]) => ppid === parent).map(([child]) => child);
    found.push(...children);
    queue.push(...children);
  }
  return found;
}

/** Process and parent ids, without zombies. */
function livingProcesses(): readonly (readonly [number, number])[] {
  const lines = process.platform === "linux" ? linesOfProc() : linesOfPs();
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, state]) => !state?.startsWith("Z"))
    .map(([pid, , ppid]) => [Number(pid), Number(ppid)] as const);
}

function linesOfPs(): string[] {
  return execFileSync("ps", ["-A", "-o", "pid=,state=,ppid="], { encoding: "utf8" }).trim().split("\n");
}

// A slim Debian has no ps.
function linesOfProc(): string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      return [`${pid} ${stat.slice(stat.lastIndexOf(")") + 2)}`];
    } catch {
      return [];
    }
  });
}
