/** Where a URL leads, for people: never its user, password or parameters. */
export function serverAddress(url: string): string {
  if (!URL.canParse(url)) return "";
  const { host, pathname } = new URL(url);
  const path = pathname === "/" ? "" : pathname;
  return `${host}${path}`;
}
