import pg from "pg";
import { keepJournal } from "../guarantees/journal.js";
import type { Listener } from "../guarantees/listener.js";
import { openStage, type Stage } from "../guarantees/stage.js";
import type { StageAddress } from "../guarantees/stage-address.js";
import { type ProxiedUrl, viaProxy } from "../guarantees/via-proxy.js";
import { listenLastingly } from "./lasting-listener.js";

/** The servers of a scene by the option that names them. */
export type ServerOption = "databaseUrl" | "redisUrl" | "rabbitmqUrl";

/** What one row of the fault matrix plays on: a stage whose workers reach each server through a network of the test's own. */
export interface Scene {
  /** Its address leads past the proxies: the test sees what the workers do not. */
  readonly stage: Stage;
  /** The address that workers are given. */
  readonly workerAddress: StageAddress;
  readonly network: Readonly<Record<ServerOption, ProxiedUrl>>;
  /** A consumer with a durable queue on the outbound exchange, there from the first event on. */
  readonly outside: Omit<Listener, "gone">;
  readonly steadyJobIds: readonly string[];
  readonly passingJobIds: readonly string[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** How many jobs there are. */
const jobs = { steady: 5, passing: 400 } as const;

/** Opens a scene; `instead` puts private servers in the place of the shared ones. */
export async function openScene(instead: Partial<StageAddress> = {}): Promise<Scene> {
  await using opened = new AsyncDisposableStack();
  const database = instead.databaseUrl === undefined ? {} : { databaseUrl: await newDatabaseOn(instead.databaseUrl) };
  const stage = opened.use(await openStage({ ...instead, ...database }));
  await keepJournal(stage.db);
  const through = async (server: ServerOption) => {
    const proxy = await viaProxy(stage.address[server] as string);
    opened.defer(() => proxy.close());
    return proxy;
  };
  const network = {
    databaseUrl: await through("databaseUrl"),
    redisUrl: await through("redisUrl"),
    rabbitmqUrl: await through("rabbitmqUrl"),
  };
  const outside = opened.use(await listenLastingly(stage));
  const ids = await stage.jobs(jobs.steady + jobs.passing);
  const all = opened.move();
  return {
    stage,
    workerAddress: {
      ...stage.address,
      databaseUrl: network.databaseUrl.url,
      redisUrl: network.redisUrl.url,
      rabbitmqUrl: network.rabbitmqUrl.url,
    },
    network,
    outside,
    steadyJobIds: ids.slice(0, jobs.steady),
    passingJobIds: ids.slice(jobs.steady),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

let databases = 0;

/** A private server lives through several rows, each of which has a database of its own. */
async function newDatabaseOn(url: string): Promise<string> {
  const client = new pg.Client(url);
  await client.connect();
  const name = `scene_${process.pid}_${databases++}`;
  await client.query(`create database ${name}`);
  await client.end();
  return Object.assign(new URL(url), { pathname: `/${name}` }).href;
}
