import { inspect } from "node:util";
import { reasonOf } from "../../domain/reason-of.js";
import { withoutCredentials } from "../../domain/without-credentials.js";

/** The error itself when nothing in it names a password, else a copy that says the same without it. */
export function safeCause(error: unknown): unknown {
  const everything = inspect(error, { depth: 4, showHidden: true });
  if (withoutCredentials(everything) === everything) return error;
  const copy = new Error(reasonOf(error));
  if (error instanceof Error) copy.name = error.name;
  return copy;
}
