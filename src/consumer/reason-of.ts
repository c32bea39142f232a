/** What went wrong, in words and without the password of any URL in them; some errors say it in their code only. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return redact(String(error));
  const { code } = error as { code?: unknown };
  return redact(error.message || (typeof code === "string" ? code : error.name));
}

function redact(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/]*@/gi, "$1***@");
}
