import { memoryDedupe } from "../../src/adapters/memory/memory-dedupe.js";
import { memoryLive } from "../../src/adapters/memory/memory-live.js";
import type { JobEvent } from "../../src/domain/event.js";
import { SharedWindows, wire } from "../engine/engine-on.js";
import { InMemoryStorage } from "../support/in-memory-storage.js";
import { SimulatedClock } from "../support/simulated-clock.js";
import { Acts } from "./acts.js";
import { type History, jobs, type Place, type Step } from "./history.js";
import { Ledger } from "./ledger.js";
import { Process } from "./process.js";
import { dedupeOver, type Grant, Line, liveOver, publisherOver, storageOver, throttleOver } from "./process-ports.js";
import { Spectator } from "./spectator.js";
import { Weather } from "./weather.js";

export const windowMs = 2_000;
export const closeTimeoutMs = 10_000;

/** Longer than all that began in bad weather: late answers, the backoff of an outage, a lease, the silence of a watch. */
const settlingMs = 70_000;

/** Several processes on one storage, one broker and one Redis; what they call, and what becomes of it. */
export class World {
  readonly history: History;
  readonly clock = new SimulatedClock();
  readonly storage = new InMemoryStorage(this.clock);
  readonly ledger = new Ledger(this.clock, this.storage);
  readonly weather: Weather;
  /** Every event that reached the broker, redeliveries too. */
  readonly arrivals: JobEvent[] = [];
  readonly grants: Grant[] = [];
  readonly spectators: Spectator[] = [];
  /** Every process there ever was. */
  readonly processes: Process[] = [];
  /** By job: the wall clock when it was created, null where it was there from the first. */
  readonly created = new Map<string, number | null>(jobs.map((job) => [job, null]));
  readonly #acts = new Acts(this.ledger, this.storage, this.created);
  readonly #here: Process[] = [];
  readonly #windows = new SharedWindows(this.clock);
  readonly #live = memoryLive({ clock: this.clock });
  readonly #dedupe = memoryDedupe({ clock: this.clock });

  constructor(history: History) {
    this.history = history;
    this.weather = new Weather(this.clock, history.climate);
    for (const job of jobs) this.storage.put(job);
    for (let place = 0; place < history.places; place++) this.#here.push(this.#begin(place));
  }

  /** The processes that live. */
  get living(): readonly Process[] {
    return this.#here;
  }

  /** Whether nothing was ever in anybody's way, and nobody died. */
  get wasFine(): boolean {
    const { climate } = this.history;
    const ended = this.processes.some(({ killedAt, isClosed }) => killedAt !== null || isClosed);
    return this.weather.troubled === 0 && climate.latency !== "wide" && !ended;
  }

  /** Takes every step, then lets the weather clear up and everything settle. */
  async live(): Promise<void> {
    for (const step of this.history.steps) await this.#take(step);
    this.weather.calm();
    await this.clock.advance(settlingMs);
  }

  /** Closes every process that lives. */
  async end(): Promise<void> {
    for (const process of this.#here) this.#acts.close(process);
    await this.clock.advance(settlingMs);
  }

  #begin(place: number): Process {
    const { delivery, reach, relayBatch } = this.history;
    const line = new Line(`${place}.${this.processes.length}`, this.weather, place * 137_003);
    const live = reach === "shared" ? { ...this.#live, reach } : memoryLive({ clock: this.clock });
    const wired = wire({
      clock: line,
      storage: storageOver(line, this.storage, delivery === "outbox" ? this.storage.outbox : null),
      throttle: throttleOver(line, this.#windows, this.grants),
      publisher: publisherOver(line, this.arrivals),
      dedupe: delivery === "direct" ? dedupeOver(line, this.#dedupe) : null,
      live: liveOver(line, live),
      options: { windowMs, closeTimeoutMs, heartbeatMs: 5_000, relay: { batchSize: relayBatch } },
      random: () => 0.5,
      name: line.name,
    });
    const process = new Process(line, wired);
    this.processes.push(process);
    return process;
  }

  async #take(step: Step): Promise<void> {
    switch (step.do) {
      case "wait":
        return this.clock.advance(step.ms);
      case "wall clock jumps":
        return this.clock.jumpWall(step.ms);
      case "trouble":
        return this.weather.arm(step.request, step.trouble, step.times);
      default:
        return this.#act(this.#at(step.at), step);
    }
  }

  #act(process: Process, step: Exclude<Step, { readonly do: "wait" | "wall clock jumps" | "trouble" }>): void {
    const acts = this.#acts;
    switch (step.do) {
      case "report":
        acts.report(process, step);
        break;
      case "start":
        acts.start(process, step);
        break;
      case "end":
        acts.end(process, step);
        break;
      case "status":
        acts.status(process, step);
        break;
      case "request cancel":
        acts.requestCancel(process, step);
        break;
      case "time out":
        acts.timeOut(process, step);
        break;
      case "run":
        acts.run(process, step);
        break;
      case "in a transaction":
        acts.transact(process, step);
        break;
      case "create":
        acts.create(process, step.job);
        break;
      case "read":
        acts.read(process, step.job);
        break;
      case "watch":
        this.spectators.push(new Spectator(process, step.job, step.pauseMs, step.leavesAfter));
        break;
      case "flush":
        acts.flush(process);
        break;
      case "close":
        acts.close(process);
        this.#replace(process);
        break;
      case "kill":
        process.kill();
        this.#replace(process);
        break;
    }
  }

  #at(place: Place): Process {
    return this.#here[place % this.#here.length] as Process;
  }

  #replace(process: Process): void {
    const place = this.#here.indexOf(process);
    this.#here[place] = this.#begin(place);
  }
}
