import { withoutCredentials } from "../domain/without-credentials.js";
import { UsageError } from "./usage-error.js";

/** Exit codes: the command failed, or the command line is wrong. */
export function exitCodeOf(error: unknown): 1 | 2 {
  return error instanceof UsageError ? 2 : 1;
}

/**
 * What stderr says of a failure: one sentence with its code, or, to debug, the stacks of the error and its causes.
 * Passwords are taken out, those of `urls` wherever they stand.
 */
export function failureText(error: unknown, debug: boolean, urls: readonly string[]): string {
  if (error instanceof UsageError) {
    const help = ["worker-progress", error.command, "--help"].filter((part) => part !== null).join(" ");
    return `worker-progress: ${withoutPasswords(error.message, urls)}\nSee ${help}\n`;
  }
  const text = debug ? stacksOf(error) : sentenceOf(error);
  return `worker-progress: ${withoutPasswords(text, urls)}\n`;
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" ? `${error.code}: ` : "";
  const message = error.message || (error instanceof AggregateError ? sentenceOf(error.errors[0]) : error.name);
  return (message.startsWith(code) ? message : code + message).replaceAll(/\s*\n\s*/g, " ");
}

function stacksOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" ? `${error.code}: ` : "";
  const stack = code + (error.stack ?? error.message);
  return error.cause === undefined ? stack : `${stack}\nCaused by ${stacksOf(error.cause)}`;
}

/** Takes out the user part of anything like a URL, and the passwords of these URLs however they are written. */
export function withoutPasswords(text: string, urls: readonly string[]): string {
  return passwordsOf(urls).reduce((left, password) => left.replaceAll(password, "***"), withoutCredentials(text));
}

function passwordsOf(urls: readonly string[]): readonly string[] {
  const places = [/^[^:]+:\/\/[^:@/]*:(.*)@/, /[?&]password=([^&#]*)/i];
  return urls.flatMap((url) => {
    const written = places.map((place) => place.exec(url)?.[1] ?? "").filter((password) => password !== "");
    return [...written, ...written.map(decoded)];
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
