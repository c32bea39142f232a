import { constants } from "node:os";
import { longestDelayMs } from "./domain/longest-delay.js";
import type { Log } from "./ports/log.js";

/** Options of `closeOnSignals`. */
export interface CloseOnSignalsOptions {
  /** @default ["SIGTERM", "SIGINT"] */
  readonly signals?: readonly NodeJS.Signals[];
  /** What to do while the reporter still takes reports: stop taking jobs, wait for those that run. */
  readonly before?: (signal: NodeJS.Signals) => unknown;
  /** How long `before` is waited for, in milliseconds. @default 10000 */
  readonly beforeTimeoutMs?: number;
  /** Where it is said that `before` failed or took too long. @default console */
  readonly log?: Log;
}

type Listener = (signal: NodeJS.Signals) => void;

/** Those of every reporter of the process: none takes another for the application, and the last to close ends the process. */
const installed = new Set<Listener>();
const closing = new Set<Listener>();

/**
 * Closes a reporter when the process is asked to end, within the reporter's `closeTimeoutMs`, and then lets the process end
 * by the signal, as if nobody had listened; a second signal ends it at once. Where the application listens to the signal itself, when the
 * process ends is left to the application. Answers a function that takes this back.
 *
 * @throws TypeError for a signal that cannot be listened to, and for a wrong option
 * @example
 * closeOnSignals(reporter, { before: () => worker.close() });
 */
export function closeOnSignals(
  reporter: { close(): Promise<unknown> },
  options: CloseOnSignalsOptions = {},
): () => void {
  const { signals, ...work } = checked(options);
  const remove = () => {
    installed.delete(listener);
    for (const signal of signals) process.off(signal, listener);
  };
  const listener: Listener = (signal) => {
    const isLeftToUs = process.listeners(signal).every((each) => installed.has(each as Listener));
    if (closing.has(listener)) {
      if (isLeftToUs) endBy(signal);
      return;
    }
    closing.add(listener);
    void closeAfter(signal, work, reporter).finally(() => {
      closing.delete(listener);
      remove();
      if (isLeftToUs && closing.size === 0) endBy(signal);
    });
  };
  installed.add(listener);
  // First in line it still sees those who listen only once.
  for (const signal of signals) process.prependListener(signal, listener);
  return remove;
}

async function closeAfter(
  signal: NodeJS.Signals,
  { before, beforeTimeoutMs, log }: Omit<CheckedOptions, "signals">,
  reporter: { close(): Promise<unknown> },
): Promise<void> {
  const warn = (message: string) => (error: unknown) => {
    log.warn(message, { reason: error instanceof Error ? error.message : String(error) });
  };
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<void>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it took longer than ${beforeTimeoutMs} ms`)), beforeTimeoutMs);
  });
  await Promise.race([(async () => before(signal))(), timeUp]).catch(
    warn("What comes before closing did not end well"),
  );
  clearTimeout(timer);
  await reporter.close().catch(warn("The reporter did not close"));
}

/** Ends the process by a signal that nobody hears any more, or with its exit code where the signal does nothing, as for PID 1. */
function endBy(signal: NodeJS.Signals): void {
  for (const listener of installed) process.off(signal, listener);
  process.kill(process.pid, signal);
  process.exit(128 + constants.signals[signal]);
}

type CheckedOptions = Readonly<Required<CloseOnSignalsOptions>>;

function checked(options: CloseOnSignalsOptions): CheckedOptions {
  const { signals = ["SIGTERM", "SIGINT"], before = () => {}, beforeTimeoutMs = 10_000, log = console } = options;
  if (!Array.isArray(signals) || signals.length === 0) throw new TypeError("Option signals must name one or more");
  const wrong = signals.find((signal) => !(signal in constants.signals) || unheard.includes(signal));
  if (wrong !== undefined) throw new TypeError(`Option signals: a process cannot listen to "${wrong}"`);
  if (typeof before !== "function") throw new TypeError("Option before must be a function");
  if (!Number.isSafeInteger(beforeTimeoutMs) || beforeTimeoutMs < 0 || beforeTimeoutMs > longestDelayMs) {
    throw new TypeError("Option beforeTimeoutMs must be a whole number of milliseconds, 0 or more");
  }
  return { signals, before, beforeTimeoutMs, log };
}

const unheard = ["SIGKILL", "SIGSTOP"];
