import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import type { Command, CommandName } from "./command.js";
import {
  amqpUrl,
  databaseUrl,
  type Environment,
  exchangeNames,
  type Flags,
  numberBetween,
  redisUrl,
  text,
} from "./flag-values.js";
import { UsageError } from "./usage-error.js";

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
    "no-jobs": { type: "boolean" },
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
  try {
    return parseFlags(first, readFlags(rest, flagsOf[first]), environment);
  } catch (error) {
    throw error instanceof UsageError ? new UsageError(error.message, first) : error;
  }
}

const commands: Readonly<Record<CommandName, (flags: Flags, environment: Environment) => Command>> = {
  demo: (flags, environment) => ({
    name: "demo",
    urls: {
      database: databaseUrl(flags, environment),
      redis: redisUrl(flags, environment),
      amqp: amqpUrl(flags, environment),
    },
    exchanges: exchangeNames(flags),
    schema: text(flags.schema),
    jobs: numberBetween("jobs", flags.jobs ?? "1", /^\d+$/, [1, 1_000]),
    seconds: numberBetween("seconds", flags.seconds ?? "10", /^\d+(\.\d+)?$/, [0.1, 3_600]),
  }),
  migrate: (flags, environment) => {
    const print = flags.print === true;
    const database = print ? undefined : databaseUrl(flags, environment);
    if (!print && database === undefined) throw missing("a database", "database-url", "DATABASE_URL");
    const names = { schema: text(flags.schema), outboxTable: text(flags["outbox-table"]) };
    return { name: "migrate", print, database, ...names, jobs: flags["no-jobs"] !== true };
  },
  "init-exchanges": (flags, environment) => {
    const amqp = amqpUrl(flags, environment);
    if (amqp === undefined) throw missing("a RabbitMQ", "amqp-url", "RABBITMQ_URL");
    return { name: "init-exchanges", amqp, exchanges: exchangeNames(flags) };
  },
};

function parseFlags(command: CommandName, flags: Flags, environment: Environment): Command {
  if (flags.help) return { name: "help", about: command };
  if (flags.version) return { name: "version" };
  return commands[command](flags, environment);
}

function parseWithoutCommand(args: readonly string[]): Command {
  const flags = readFlags(args, everyCommand);
  if (flags.version) return { name: "version" };
  return { name: "help", about: null };
}

function readFlags(args: readonly string[], options: ParseArgsOptionsConfig): Flags {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values as Flags;
  } catch (error) {
    throw new UsageError(problemOf(error));
  }
}

/** Node's own sentence goes on about positional arguments, which no command has. */
function problemOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const [sentence = message] = message.split(/\. |\n/, 1);
  return sentence
    .replaceAll("'", '"')
    .replace(/^Option ".*?(--[^ "]+).*" argument missing$/, 'Option "$1" needs a value');
}

function isCommandName(value: string): value is CommandName {
  return Object.hasOwn(flagsOf, value);
}

function missing(what: string, flag: string, variable: string): UsageError {
  return new UsageError(`It needs ${what}: pass --${flag} or set ${variable}`);
}
