import { startWorker, type WorkerProcess } from "../support/child-process.js";
import type { SeededRandom } from "./seeded-random.js";
import type { SoakPlan } from "./soak-plan.js";
import type { SoakServers } from "./soak-servers.js";
import type { ConsumerNews, ConsumerTask, SoakNews, SoakOrder, SoakTask } from "./workers/soak-messages.js";

/** A process of the soak. */
export interface SoakProcess<News> extends WorkerProcess<News> {
  readonly name: string;
}

// These live as long as the soak.
const neverKilled = 2;

/** The workers and the consumer: started, killed, paused and finished. */
export class SoakProcesses {
  /** All there ever were. */
  readonly workers: SoakProcess<SoakNews>[] = [];
  readonly consumers: SoakProcess<ConsumerNews>[] = [];
  /** How processes ended otherwise than they were made to. */
  readonly crashes: string[] = [];
  readonly #plan: SoakPlan;
  readonly #servers: SoakServers;
  readonly #random: SeededRandom;
  readonly #running: SoakProcess<SoakNews>[] = [];

  constructor(plan: SoakPlan, servers: SoakServers, random: SeededRandom) {
    this.#plan = plan;
    this.#servers = servers;
    this.#random = random;
  }

  async start(): Promise<void> {
    const consumer = await this.#startConsumer();
    await consumer.message(({ kind }) => kind === "ready");
    for (let i = 0; i < this.#plan.processes; i++) this.#running.push(await this.#startWorker());
  }

  /** Lets a worker take over a job that another may be running. */
  takeOver(jobId: string): void {
    this.#random.pick(this.#running).send({ kind: "takeOver", jobId } satisfies SoakOrder);
  }

  /** Kills a worker and starts another in its place. */
  async killWorker(): Promise<void> {
    const first = Math.min(neverKilled, this.#running.length - 1);
    const place = Math.floor(this.#random.between(first, this.#running.length));
    await kill(this.#running[place] as SoakProcess<SoakNews>);
    this.#running[place] = await this.#startWorker();
  }

  /** Stops a worker for as long as `hold` takes, as a laptop that sleeps. */
  async pauseWorker(hold: () => Promise<void>): Promise<void> {
    const worker = this.#random.pick(this.#running);
    worker.kill("SIGSTOP");
    await hold();
    worker.kill("SIGCONT");
  }

  async killConsumer(): Promise<void> {
    await kill(this.consumers.at(-1) as SoakProcess<ConsumerNews>);
    await this.#startConsumer();
  }

  /** Lets the workers write and publish what is open, and waits for their end. */
  async finishWorkers(): Promise<void> {
    for (const worker of this.#running) worker.send({ kind: "finish" } satisfies SoakOrder);
    await Promise.all(this.#running.map(({ exit }) => exit));
  }

  async stopConsumer(): Promise<void> {
    const consumer = this.consumers.at(-1);
    consumer?.send({ kind: "stop" });
    await consumer?.exit;
  }

  async #startWorker(): Promise<SoakProcess<SoakNews>> {
    const { processes, jobs, lifeMs, windowMs, idleMs, memoryEveryMs } = this.#plan;
    const task: SoakTask = {
      address: this.#servers.address,
      seed: this.#random.between(1, 1e9),
      jobs: Math.ceil(jobs / processes),
      lifeMs,
      windowMs,
      idleMs,
      memoryEveryMs,
    };
    const worker = await this.#run<SoakNews>(`worker ${this.workers.length + 1}`, "worker", task);
    this.workers.push(worker);
    return worker;
  }

  async #startConsumer(): Promise<SoakProcess<ConsumerNews>> {
    const { address, queue } = this.#servers;
    const task: ConsumerTask = {
      databaseUrl: address.databaseUrl,
      rabbitmqUrl: address.rabbitmqUrl as string,
      queue,
      exchange: address.outboundExchange,
      memoryEveryMs: this.#plan.memoryEveryMs,
    };
    const consumer = await this.#run<ConsumerNews>(`consumer ${this.consumers.length + 1}`, "consumer", task);
    this.consumers.push(consumer);
    return consumer;
  }

  async #run<News>(name: string, script: "worker" | "consumer", task: object): Promise<SoakProcess<News>> {
    const file = new URL(`./workers/${script}.ts`, import.meta.url);
    const process = await startWorker<News>(file, { args: [JSON.stringify(task)], nodeArgs: ["--expose-gc"] });
    void process.exit.then(({ code, signal, stderr }) => {
      if (code !== 0 && signal !== "SIGKILL") this.crashes.push(`${name} ended with ${code ?? signal}: ${stderr}`);
    });
    return { ...process, name };
  }
}

async function kill(victim: SoakProcess<unknown>): Promise<void> {
  victim.kill("SIGKILL");
  await victim.exit;
}
