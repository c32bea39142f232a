/** One URL for each host of a URL that names several, as libpq reads it: `postgres://user@a:5432,b:5433/db`. */
export function urlsOfHosts(url: string): readonly string[] {
  const [, before, hosts, after] = /^([a-z]+:\/\/(?:[^/?#]*@)?)([^/?#@]*)(.*)$/is.exec(url) ?? [];
  return hosts?.includes(",") ? hosts.split(",").map((host) => `${before}${host}${after}`) : [url];
}
