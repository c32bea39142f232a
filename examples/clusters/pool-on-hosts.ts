import { Client, type ClientBase, type ClientConfig, Pool, type PoolConfig } from "pg";

/** A node of PostgreSQL. */
export interface Host {
  readonly host: string;
  readonly port: number;
}

/** A pool on whichever of the hosts takes writes: pg itself knows one host, and no `target_session_attrs`. */
export function poolOnHosts(hosts: readonly Host[], config: PoolConfig): Pool {
  let turn = 0;
  const usable = new WeakSet<ClientBase>();

  class ClientInTurn extends Client {
    constructor(options?: ClientConfig) {
      const mine = turn;
      super({ ...options, ...hosts[mine % hosts.length] });
      this.once("end", () => {
        if (!usable.has(this) && mine === turn) turn++;
      });
    }
  }

  const pool = new Pool({
    max: 5,
    connectionTimeoutMillis: 2_000,
    query_timeout: 10_000,
    keepAlive: true,
    ...config,
    Client: ClientInTurn,
    onConnect: async (client) => {
      const { rows } = await client.query("show transaction_read_only");
      if (rows[0]?.transaction_read_only === "on") throw Object.assign(new Error("A standby"), { code: "25006" });
      usable.add(client);
    },
  });
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}
