import type { ClientConfig, Client as PgClient, PoolConfig } from "pg";

type OnConnected = ((error: Error) => void) | ((error: null, client: PgClient) => void);

/**
 * The part of a pool's options that connects to whichever host takes writes: one that cannot be reached or asked, as
 * a pooler without its server, or is a standby gives the turn to the next, as with `target_session_attrs=read-write`.
 * https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS
 */
export function hostsInTurn(Client: typeof import("pg").Client, urls: readonly string[]): PoolConfig {
  let turn = 0;
  const turns = new WeakMap<object, number>();
  // Those that failed together pass the turn on once.
  const passOn = (client: object) => {
    if (turns.get(client) === turn) turn++;
  };

  class ClientInTurn extends Client {
    constructor(options?: ClientConfig) {
      super({ ...options, connectionString: urls[turn % urls.length] });
      turns.set(this, turn);
    }

    override connect(): Promise<PgClient>;
    override connect(callback: OnConnected): void;
    override connect(callback?: OnConnected): Promise<PgClient> | undefined {
      const connected = super.connect().catch((error: Error) => {
        passOn(this);
        throw error;
      });
      if (callback === undefined) return connected;
      const tell = callback as (error: Error | null, client?: PgClient) => void;
      connected.then((client) => tell(null, client), tell);
      return undefined;
    }
  }

  return {
    Client: ClientInTurn,
    verify: (client, done) => {
      const useless = (error: Error) => {
        passOn(client);
        done(error);
      };
      client.query<{ transaction_read_only: string }>("show transaction_read_only").then(({ rows: [row] }) => {
        if (row?.transaction_read_only === "on") {
          return useless(Object.assign(new Error("No host takes writes"), { code: "25006" }));
        }
        turns.delete(client);
        done();
      }, useless);
    },
  };
}
