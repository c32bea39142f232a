import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onDeath } from "./process-guard.js";

/** How to start a worker process. */
export interface WorkerOptions {
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Flags of Node itself. */
  readonly nodeArgs?: readonly string[];
}

/** How a process ended, and everything it printed. */
export interface WorkerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process of its own that runs a TypeScript file and talks by `process.send`. */
export interface WorkerProcess<Message = unknown> {
  readonly pid: number;
  /** Everything it has sent, oldest first. */
  readonly messages: readonly Message[];
  /** What is sent to one that has died is lost. */
  send(message: unknown): void;
  /** The first message, sent already or yet to come, that `matches`. Rejects when the process ends before. */
  message(matches: (message: Message) => boolean): Promise<Message>;
  kill(signal?: NodeJS.Signals): void;
  readonly exit: Promise<WorkerExit>;
}

const resolveTypescript = new URL("./resolve-typescript.mjs", import.meta.url);

/** Starts a TypeScript file in a process of its own, which dies with this one. `file` is a URL or an absolute path. */
export async function startWorker<Message = unknown>(
  file: URL | string,
  options: WorkerOptions = {},
): Promise<WorkerProcess<Message>> {
  const path = typeof file === "string" ? file : fileURLToPath(file);
  const nodeArgs = ["--import", resolveTypescript.href, ...(options.nodeArgs ?? [])];
  const child = spawn(process.execPath, [...nodeArgs, path, ...(options.args ?? [])], {
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    serialization: "advanced",
  });
  const messages: Message[] = [];
  const waiting = new Set<() => void>();
  child.on("message", (message) => {
    messages.push(message as Message);
    for (const look of waiting) look();
  });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const exit = new Promise<WorkerExit>((resolve) => {
    child.once("close", (code, signal) => {
      guard.dismiss();
      resolve({ code, signal, stdout: stdout(), stderr: stderr() });
    });
  });
  await once(child, "spawn");
  const guard = onDeath('kill -KILL "$1"', String(child.pid));
  return {
    pid: child.pid as number,
    messages,
    // It may have died a moment ago: `exit` is what tells.
    send: (message) => void child.send(message as object, () => {}),
    kill: (signal = "SIGTERM") => void child.kill(signal),
    exit,
    message(matches) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = messages.find(matches);
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
        void exit.then((end) => {
          if (waiting.delete(look)) reject(new Error(`Worker ended (${end.code ?? end.signal}) first:\n${end.stderr}`));
        });
      });
    },
  };
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = "";
  stream?.setEncoding("utf8");
  stream?.on("data", (chunk: string) => {
    text += chunk;
  });
  return () => text;
}
