/** Which pages of other origins may call. */
export interface CorsOptions {
  /** Origins as browsers send them, as in "https://app.example.com", or "*" for every one. */
  readonly origins: "*" | readonly string[];
  /** Whether they may send cookies; not with "*". @default false */
  readonly credentials?: boolean;
  /** Header fields they may send. @default authorization, content-type, if-none-match, last-event-id */
  readonly allowedHeaders?: readonly string[];
  /** How long a browser may remember this, in seconds. @default 600 */
  readonly maxAgeSeconds?: number;
}

/** What the handler asks about origins. */
export interface OriginPolicy {
  /** Whether a browser says that a page which may not call sent the request. */
  refuses(request: Request): boolean;
  /** Adds to a response what the browser needs to show it to the page. */
  apply(request: Request, response: Response): void;
  /** Answers what a browser asks before it sends the request. */
  preflight(request: Request, methods: readonly string[]): Response;
}

const exposed = "ETag, Retry-After, RateLimit, RateLimit-Policy";
const readable = ["authorization", "content-type", "if-none-match", "last-event-id"];

/** The rules for pages of other origins; without options no such page may do anything. */
export function originPolicy(cors: CorsOptions | undefined): OriginPolicy {
  /** What `Access-Control-Allow-Origin` says; null when it is not said. */
  const allowed = ({ headers }: Request): string | null => {
    if (cors?.origins === "*") return "*";
    const origin = headers.get("origin");
    return origin !== null && cors?.origins.includes(origin) ? origin : null;
  };
  const apply = (request: Request, { headers }: Response): void => {
    if (cors === undefined) return;
    if (cors.origins !== "*") headers.append("vary", "Origin");
    const origin = allowed(request);
    if (origin === null) return;
    headers.set("access-control-allow-origin", origin);
    headers.set("access-control-expose-headers", exposed);
    if (cors.credentials) headers.set("access-control-allow-credentials", "true");
  };
  return {
    // Browsers say themselves where a request comes from. Old ones, and all where there is no TLS, tell the origin alone,
    // and proxies may rewrite what it has to be compared to: such an origin has to be listed, even if it is the own one.
    refuses: (request) => {
      if (allowed(request) !== null) return false;
      const { headers, url } = request;
      const [origin, site] = [headers.get("origin"), headers.get("sec-fetch-site")];
      return site === null
        ? origin !== null && hostOf(origin) !== hostOf(url)
        : !["same-origin", "none"].includes(site);
    },
    apply,
    preflight: (request, methods) => {
      const headers = new Headers({ allow: methods.join(", ") });
      if (cors !== undefined && allowed(request) !== null) {
        headers.set("access-control-allow-methods", methods.join(", "));
        headers.set("access-control-allow-headers", (cors.allowedHeaders ?? readable).join(", "));
        headers.set("access-control-max-age", String(cors.maxAgeSeconds ?? 600));
      }
      return new Response(null, { status: 204, headers });
    },
  };
}

function hostOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).host : null;
}
