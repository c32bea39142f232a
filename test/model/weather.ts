import type { SimulatedClock } from "../support/simulated-clock.js";

/** What a process asks of a server. */
export type Request =
  | "load"
  | "commit"
  | "findSilent"
  | "create"
  | "claim"
  | "acknowledge"
  | "release"
  | "backlog"
  | "setup"
  | "publish"
  | "acquire"
  | "mark"
  | "unmark"
  | "tell"
  | "latest";

export type Trouble =
  | "is refused"
  | "loses its answer"
  | "arrives late"
  | "is answered late"
  | "is never answered"
  | "is answered wrongly";

const network: readonly Trouble[] = ["is refused", "loses its answer", "arrives late", "is answered late"];
const bounded: readonly Trouble[] = ["is refused", "loses its answer", "is answered late"];

/** What may befall a request. Only what the engine itself bounds may stay without an answer: the ports promise one. */
export const troubles: Readonly<Record<Request, readonly Trouble[]>> = {
  load: [...network, "is never answered"],
  commit: [...network, "is never answered"],
  findSilent: bounded,
  create: ["is refused"],
  claim: bounded,
  acknowledge: network,
  release: network,
  backlog: bounded,
  setup: ["is refused", "is answered late"],
  publish: network,
  acquire: [...bounded, "is answered wrongly"],
  mark: bounded,
  unmark: bounded,
  tell: ["is refused", "is answered late"],
  latest: ["is refused", "is answered late"],
};

export type Latency = "none" | "short" | "wide";

export interface Climate {
  readonly seed: number;
  readonly latency: Latency;
  /** How many of a thousand requests meet trouble by themselves. */
  readonly troublePerMille: number;
}

/** One request's way: how long it takes there and back, and what befalls it. */
export interface Passage {
  readonly thereMs: number;
  readonly backMs: number;
  readonly trouble: Trouble | null;
}

const delays: Readonly<Record<Latency, readonly number[]>> = {
  none: [0],
  short: [0, 0, 1, 2, 5, 20],
  wide: [0, 1, 20, 100, 400, 1_500],
};
// Longer than a storage call may take, a window, and a lease of the relay.
const lateMs = [2_500, 7_000, 12_000];

/**
 * Decides how every request of every process fares. Each draw depends on the seed, the process, the request and how many of
 * the kind that process made before: a history from which a step is taken out keeps the weather of the rest.
 */
export class Weather {
  readonly clock: SimulatedClock;
  readonly #climate: Climate;
  readonly #made = new Map<string, number>();
  readonly #armed = new Map<Request, Trouble[]>();
  #calm = false;
  /** Which kinds of requests met trouble. */
  readonly #met = new Set<Request>();
  /** How many requests met trouble. */
  troubled = 0;

  constructor(clock: SimulatedClock, climate: Climate) {
    this.clock = clock;
    this.#climate = climate;
  }

  /** The next requests of the kind meet trouble, whoever makes them. */
  arm(request: Request, trouble: Trouble, count: number): void {
    const armed = this.#armed.get(request) ?? [];
    for (let i = 0; i < count; i++) armed.push(trouble);
    this.#armed.set(request, armed);
  }

  /** Whether an answer may have been lost, so that a call could be refused for what it had done itself. */
  get mayHideAnswers(): boolean {
    return this.#met.has("commit");
  }

  /** Whether a process may keep what is reported longer than a window. */
  get mayKeepWaiting(): boolean {
    return this.#met.has("commit") || this.#met.has("load") || this.#met.has("acquire");
  }

  /** The longest that a write may be on its way when nothing is wrong: asking, loading, committing, a few times over. */
  get longestTripMs(): number {
    return 20 * Math.max(...delays[this.#climate.latency]) + 100;
  }

  /** From now on all goes well. */
  calm(): void {
    this.#calm = true;
  }

  passage(process: string, request: Request): Passage {
    const key = `${process} ${request}`;
    const made = this.#made.get(key) ?? 0;
    this.#made.set(key, made + 1);
    const draw = (what: string) => hashed(`${this.#climate.seed} ${key} ${made} ${what}`);
    const pick = <T>(items: readonly T[], what: string) => items[Math.floor(draw(what) * items.length)] as T;
    const usual = delays[this.#climate.latency];
    const passage = { thereMs: pick(usual, "there"), backMs: pick(usual, "back") };
    const trouble = this.#calm ? null : (this.#armed.get(request)?.shift() ?? this.#byChance(draw, pick, request));
    if (trouble === null) return { ...passage, trouble };
    this.troubled++;
    this.#met.add(request);
    if (trouble === "arrives late") return { ...passage, thereMs: pick(lateMs, "late"), trouble };
    if (trouble === "is answered late") return { ...passage, backMs: pick(lateMs, "late"), trouble };
    return { ...passage, trouble };
  }

  #byChance(
    draw: (what: string) => number,
    pick: (items: readonly Trouble[], what: string) => Trouble,
    request: Request,
  ): Trouble | null {
    return draw("trouble") * 1_000 < this.#climate.troublePerMille ? pick(troubles[request], "which") : null;
  }
}

/** A number from 0 to 1 that looks random, and is the same for the same text. */
function hashed(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
}
