/** What went wrong, in words and without the password of any URL in them; some errors say it in their code only. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return redact(String(error));
  const { code } = error as { code?: unknown };
  return redact(error.message || (typeof code === "string" ? code : error.name));
}

function redact(text: string): string {
  // A password that is not encoded may hold a slash or an @: everything goes up to the last one.
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)(\S*)/gi, (_, scheme: string, rest: string) => {
    const at = rest.lastIndexOf("@");
    return scheme + (at < 0 ? rest : `***${rest.slice(at)}`);
  });
}
