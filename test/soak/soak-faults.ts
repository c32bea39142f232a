import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/eventually.js";
import type { SeededRandom } from "./seeded-random.js";
import type { SoakPlan } from "./soak-plan.js";
import type { SoakProcesses } from "./soak-processes.js";
import type { SoakServer, SoakServers } from "./soak-servers.js";

/** A fault that was done, and mended. */
export interface DoneFault {
  readonly name: string;
  /** Milliseconds from the mending until nothing of before it waits in the outbox any more; null when it did not come to that. */
  readonly drainedMs: number | null;
}

interface Fault {
  readonly name: string;
  /** What it breaks. */
  readonly target: string;
  /** How often it is chosen, beside the others. */
  readonly weight: number;
  run(): Promise<void>;
}

/** Breaks one thing after the other, chosen by the seed, until `signal` fires and enough was broken; everything is mended then. */
export async function injectFaults(
  servers: SoakServers,
  processes: SoakProcesses,
  plan: Pick<SoakPlan, "faultPauseMs" | "holdMs" | "atLeast">,
  random: SeededRandom,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<readonly DoneFault[]> {
  const hold = () => sleep(random.between(plan.holdMs / 10, plan.holdMs));
  const faults = [
    ...servers.all.flatMap((server) => networkFaults(server, hold)),
    ...servers.all.map((server) => killServer(server, hold)),
    ...processFaults(processes, () => sleep(random.between(plan.holdMs, plan.holdMs * 3))),
  ];
  const done: DoneFault[] = [];
  const isOver = () => signal.aborted && done.length >= plan.atLeast.faults;
  while (!isOver()) {
    await sleep(random.between(...plan.faultPauseMs), undefined, { signal }).catch(() => {});
    if (isOver()) break;
    const chosen = choose(faults, random);
    await Promise.all(chosen.map((fault) => fault.run()));
    const name = chosen.map((fault) => fault.name).join(" + ");
    const drainedMs = await untilDrained(servers);
    say(`${name}: drained ${drainedMs === null ? "not within 30 s" : `${Math.round(drainedMs)} ms later`}`);
    done.push({ name, drainedMs });
  }
  return done;
}

/** One fault, and now and then another at the same time that does not mend what the first breaks. */
function choose(faults: readonly Fault[], random: SeededRandom): readonly Fault[] {
  const one = chooseOne(faults, random);
  const other = chooseOne(faults, random);
  return random.chance(0.2) && one.target !== other.target ? [one, other] : [one];
}

function chooseOne(faults: readonly Fault[], random: SeededRandom): Fault {
  let left = random.between(
    0,
    faults.reduce((sum, { weight }) => sum + weight, 0),
  );
  for (const fault of faults) {
    left -= fault.weight;
    if (left < 0) return fault;
  }
  return faults[0] as Fault;
}

function networkFaults({ name, network }: SoakServer, hold: () => Promise<void>): readonly Fault[] {
  const healed = async (during: () => void | Promise<void>) => {
    await during();
    await hold();
    await network.accept();
  };
  return [
    { name: `${name} cut`, target: name, weight: 3, run: async () => network.cut() },
    { name: `${name} refused`, target: name, weight: 2, run: () => healed(() => network.refuse()) },
    { name: `${name} blackholed`, target: name, weight: 2, run: () => healed(() => network.blackhole()) },
    { name: `${name} slow by 150 ms`, target: name, weight: 1, run: () => healed(() => network.delay(150)) },
    {
      name: `${name} replies lost`,
      target: name,
      weight: 2,
      async run() {
        network.dropReplies();
        await hold();
        network.cut();
        await network.accept();
      },
    },
  ];
}

function killServer({ name, server }: SoakServer, hold: () => Promise<void>): Fault {
  return {
    name: `${name} killed`,
    target: name,
    weight: name === "RabbitMQ" ? 1 : 2,
    async run() {
      await server.kill();
      await hold();
      await server.restart();
    },
  };
}

function processFaults(processes: SoakProcesses, holdLong: () => Promise<void>): readonly Fault[] {
  return [
    { name: "worker killed", target: "workers", weight: 4, run: () => processes.killWorker() },
    { name: "consumer killed", target: "consumer", weight: 2, run: () => processes.killConsumer() },
    { name: "worker paused", target: "workers", weight: 3, run: () => processes.pauseWorker(holdLong) },
  ];
}

async function untilDrained({ db }: SoakServers): Promise<number | null> {
  const began = performance.now();
  const select = "select max(position)::text as last from worker_progress_outbox";
  const { rows } = await eventually(() => db.query<{ last: string | null }>(select));
  const last = rows[0]?.last ?? null;
  if (last === null) return 0;
  while (performance.now() - began < 30_000) {
    const left = await db.query("select from worker_progress_outbox where position <= $1 limit 1", [last]);
    if (left.rows.length === 0) return performance.now() - began;
    await sleep(20);
  }
  return null;
}
