import { printed } from "./printed.js";
import { withoutCredentials } from "./without-credentials.js";

/** What went wrong, in words and without the password of any URL in them; some errors say it in their code only. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return withoutCredentials(printed(error));
  const { code } = error as { code?: unknown };
  return withoutCredentials(printed(error.message) || (typeof code === "string" ? code : printed(error.name)));
}
