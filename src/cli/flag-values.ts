import { urlsOfHosts } from "../domain/urls-of-hosts.js";
import type { ExchangeNames } from "./command.js";
import { UsageError } from "./usage-error.js";

/** The variables a URL may come from. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Flags as they were given. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>;

interface UrlKind {
  readonly flag: string;
  readonly variable: string;
  readonly begins: RegExp;
  readonly expected: string;
  /** The URLs of the hosts that it may name; one unless told. */
  readonly urlsOf?: (url: string) => readonly string[];
}

const one = (url: string) => [url];

const database: UrlKind = {
  flag: "database-url",
  variable: "DATABASE_URL",
  begins: /^postgres(ql)?:\/\//i,
  expected: "postgres:// or postgresql://",
  urlsOf: urlsOfHosts,
};
const redis: UrlKind = {
  flag: "redis-url",
  variable: "REDIS_URL",
  begins: /^rediss?:\/\//i,
  expected: "redis:// or rediss://",
};
const amqp: UrlKind = {
  flag: "amqp-url",
  variable: "RABBITMQ_URL",
  begins: /^amqps?:\/\//i,
  expected: "amqp:// or amqps://",
};

/** Where PostgreSQL is. @throws UsageError when it is no such URL */
export function databaseUrl(flags: Flags, environment: Environment): string | undefined {
  return url(database, flags, environment);
}

/** Where Redis is. @throws UsageError when it is no such URL */
export function redisUrl(flags: Flags, environment: Environment): string | undefined {
  return url(redis, flags, environment);
}

/** Where RabbitMQ is. @throws UsageError when it is no such URL */
export function amqpUrl(flags: Flags, environment: Environment): string | undefined {
  return url(amqp, flags, environment);
}

/** The names of the exchanges. */
export function exchangeNames(flags: Flags): ExchangeNames {
  return { events: text(flags["events-exchange"]), outbound: text(flags["outbound-exchange"]) };
}

/** A number of this form and range. @throws UsageError when it is none */
export function numberBetween(
  flag: string,
  value: string | boolean,
  form: RegExp,
  [least, most]: readonly [number, number],
): number {
  const parsed = form.test(String(value)) ? Number(value) : Number.NaN;
  if (parsed >= least && parsed <= most) return parsed;
  throw new UsageError(`--${flag} must be a number from ${least} to ${most}, got "${value}"`);
}

/** The text of a flag that takes one. */
export function text(value: string | boolean | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function url(
  { flag, variable, begins, expected, urlsOf = one }: UrlKind,
  flags: Flags,
  environment: Environment,
): string | undefined {
  const given = text(flags[flag]);
  // An empty variable is how scripts say that it is not set.
  const value = given ?? (environment[variable] || undefined);
  if (value === undefined || (begins.test(value) && urlsOf(value).every((each) => URL.canParse(each)))) return value;
  throw new UsageError(`${given === undefined ? variable : `--${flag}`} must be a URL that begins with ${expected}`);
}
