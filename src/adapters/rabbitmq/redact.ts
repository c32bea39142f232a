import { inspect } from "node:util";

/** Text without the user and password of any URL in it. */
export function redact(text: string): string {
  // A password that is not encoded may hold a slash or an @: everything goes up to the last one.
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)(\S*)/gi, (_, scheme: string, rest: string) => {
    const at = rest.lastIndexOf("@");
    return scheme + (at < 0 ? rest : `***${rest.slice(at)}`);
  });
}

/** What went wrong, in words; Node leaves the message of some errors empty and says it in their code. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return redact(String(error));
  const { code } = error as { code?: unknown };
  return redact(error.message || (typeof code === "string" ? code : error.name));
}

/** The error itself when nothing in it names a password, else a copy that says the same without it. */
export function safeCause(error: unknown): unknown {
  const everything = inspect(error, { depth: 4, showHidden: true });
  if (redact(everything) === everything) return error;
  const copy = new Error(reasonOf(error));
  if (error instanceof Error) copy.name = error.name;
  return copy;
}
