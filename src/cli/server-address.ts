import { urlsOfHosts } from "../domain/urls-of-hosts.js";

/** Where a URL leads, for people: never its user, password or parameters. */
export function serverAddress(url: string): string {
  const urls = urlsOfHosts(url);
  if (!urls.every((each) => URL.canParse(each))) return "";
  const hosts = urls.map((each) => new URL(each).host);
  const { pathname } = new URL(urls[0] as string);
  return hosts.join(",") + (pathname === "/" ? "" : pathname);
}
