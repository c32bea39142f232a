import { type TcpProxy, tcpProxy } from "../support/tcp-proxy.js";

/** The URL of a server through a network that the test breaks. */
export interface ProxiedUrl extends TcpProxy {
  readonly url: string;
}

/** Puts a breakable network in front of the server of a URL. */
export async function viaProxy(url: string): Promise<ProxiedUrl> {
  const proxy = await tcpProxy(url);
  const proxied = new URL(url);
  proxied.hostname = "127.0.0.1";
  proxied.port = String(proxy.port);
  return Object.assign(proxy, { url: proxied.href });
}
