/** Where the servers are; what is absent is embedded. */
export interface ServerUrls {
  readonly database: string | undefined;
  readonly redis: string | undefined;
  readonly amqp: string | undefined;
}

/** Names of the exchanges; what is absent is named as the library names it. */
export interface ExchangeNames {
  readonly events: string | undefined;
  readonly outbound: string | undefined;
}

export interface DemoCommand {
  readonly name: "demo";
  readonly urls: ServerUrls;
  readonly exchanges: ExchangeNames;
  readonly schema: string | undefined;
  /** 1 to 1,000. */
  readonly jobs: number;
  /** How long the work of a job takes, 0.1 to 3,600. */
  readonly seconds: number;
}

export interface MigrateCommand {
  readonly name: "migrate";
  /** Prints the SQL instead of running it. */
  readonly print: boolean;
  /** Present unless `print`. */
  readonly database: string | undefined;
  readonly schema: string | undefined;
  readonly outboxTable: string | undefined;
  /** Whether the library's own job table is made, too; who maps a table of their own needs none. */
  readonly jobs: boolean;
}

export interface InitExchangesCommand {
  readonly name: "init-exchanges";
  readonly amqp: string;
  readonly exchanges: ExchangeNames;
}

/** The names a command goes by. */
export type CommandName = "demo" | "migrate" | "init-exchanges";

/** What a command line asks for. */
export type Command =
  | DemoCommand
  | MigrateCommand
  | InitExchangesCommand
  | { readonly name: "help"; readonly about: CommandName | null }
  | { readonly name: "version" };
