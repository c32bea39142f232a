import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import type { Command, CommandName, ExchangeNames } from "./command.js";
import { UsageError } from "./usage-error.js";

type Environment = Readonly<Record<string, string | undefined>>;
type Flags = Readonly<Record<string, string | boolean | undefined>>;

const everyCommand = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean", short: "v" },
  debug: { type: "boolean" },
  "no-color": { type: "boolean" },
} as const satisfies ParseArgsOptionsConfig;

const exchangeFlags = {
  "events-exchange": { type: "string" },
  "outbound-exchange": { type: "string" },
} as const satisfies ParseArgsOptionsConfig;

const flagsOf: Readonly<Record<CommandName, ParseArgsOptionsConfig>> = {
  demo: {
    ...everyCommand,
    ...exchangeFlags,
    "database-url": { type: "string" },
    "redis-url": { type: "string" },
    "amqp-url": { type: "string" },
    schema: { type: "string" },
    jobs: { type: "string" },
    seconds: { type: "string" },
  },
  migrate: {
    ...everyCommand,
    print: { type: "boolean" },
    "database-url": { type: "string" },
    schema: { type: "string" },
    "outbox-table": { type: "string" },
  },
  "init-exchanges": { ...everyCommand, ...exchangeFlags, "amqp-url": { type: "string" } },
};

/**
 * Tells what a command line asks for. URLs that no flag names come from the environment.
 * @throws UsageError for an unknown command or flag, and for a value that is none
 */
export function parseCommandLine(args: readonly string[], environment: Environment): Command {
  const [first, ...rest] = args;
  if (first === undefined) return { name: "help", about: null };
  if (first.startsWith("-")) return parseWithoutCommand(args);
  if (!isCommandName(first)) {
    throw new UsageError(`Unknown command "${first}", known are ${Object.keys(flagsOf).join(", ")}`);
  }
  const flags = readFlags(rest, flagsOf[first], first);
  if (flags.help) return { name: "help", about: first };
  if (flags.version) return { name: "version" };
  return commands[first](flags, environment);
}

const commands: Readonly<Record<CommandName, (flags: Flags, environment: Environment) => Command>> = {
  demo: (flags, environment) => ({
    name: "demo",
    urls: {
      database: databaseUrl(flags, environment),
      redis: url("redis-url", "REDIS_URL", /^rediss?:\/\//i, "redis:// or rediss://", flags, environment),
      amqp: amqpUrl(flags, environment),
    },
    exchanges: exchangeNames(flags),
    schema: text(flags.schema),
    jobs: number("jobs", flags.jobs ?? "1", /^\d+$/, [1, 1_000]),
    seconds: number("seconds", flags.seconds ?? "10", /^\d+(\.\d+)?$/, [0.1, 3_600]),
  }),
  migrate: (flags, environment) => {
    const print = flags.print === true;
    const database = print ? undefined : databaseUrl(flags, environment);
    if (!print && database === undefined) throw missing("a database", "database-url", "DATABASE_URL");
    return { name: "migrate", print, database, schema: text(flags.schema), outboxTable: text(flags["outbox-table"]) };
  },
  "init-exchanges": (flags, environment) => {
    const amqp = amqpUrl(flags, environment);
    if (amqp === undefined) throw missing("a RabbitMQ", "amqp-url", "RABBITMQ_URL");
    return { name: "init-exchanges", amqp, exchanges: exchangeNames(flags) };
  },
};

function parseWithoutCommand(args: readonly string[]): Command {
  const flags = readFlags(args, everyCommand, null);
  if (flags.version) return { name: "version" };
  return { name: "help", about: null };
}

function readFlags(args: readonly string[], options: ParseArgsOptionsConfig, command: CommandName | null): Flags {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values as Flags;
  } catch (error) {
    throw new UsageError(problemOf(error), command);
  }
}

/** Node's own sentence goes on about positional arguments, which no command has. */
function problemOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const [sentence = message] = message.split(/\. |\n/, 1);
  return sentence.replaceAll("'", '"').replace(/ This command .*$/, "");
}

function databaseUrl(flags: Flags, environment: Environment): string | undefined {
  return url("database-url", "DATABASE_URL", /^(postgres(ql)?|memory|file):\/\//i, "postgres://", flags, environment);
}

function amqpUrl(flags: Flags, environment: Environment): string | undefined {
  return url("amqp-url", "RABBITMQ_URL", /^amqps?:\/\//i, "amqp:// or amqps://", flags, environment);
}

function url(
  flag: string,
  variable: string,
  begins: RegExp,
  expected: string,
  flags: Flags,
  environment: Environment,
): string | undefined {
  const given = text(flags[flag]);
  // An empty variable is how scripts say that it is not set.
  const value = given ?? (environment[variable] || undefined);
  if (value === undefined || (begins.test(value) && URL.canParse(value))) return value;
  throw new UsageError(`${given === undefined ? variable : `--${flag}`} must be a URL that begins with ${expected}`);
}

function number(flag: string, value: string | boolean, form: RegExp, [least, most]: readonly [number, number]): number {
  const parsed = form.test(String(value)) ? Number(value) : Number.NaN;
  if (parsed >= least && parsed <= most) return parsed;
  throw new UsageError(`--${flag} must be a number from ${least} to ${most}, got "${value}"`);
}

function exchangeNames(flags: Flags): ExchangeNames {
  return { events: text(flags["events-exchange"]), outbound: text(flags["outbound-exchange"]) };
}

function text(value: string | boolean | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function missing(what: string, flag: string, variable: string): UsageError {
  return new UsageError(`It needs ${what}: pass --${flag} or set ${variable}`);
}

function isCommandName(value: string): value is CommandName {
  return Object.hasOwn(flagsOf, value);
}
