/** What a path means. `jobId` is null where the segment cannot name a job. */
export type Route =
  | { readonly kind: "job" | "events" | "cancel"; readonly jobId: string | null }
  | { readonly kind: "document" };

/** What is asked of a job. */
export type JobRoute = Extract<Route, { readonly jobId: string | null }>;

const longestId = 512;
const methods = {
  job: ["GET", "HEAD", "OPTIONS"],
  events: ["GET", "OPTIONS"],
  cancel: ["POST", "OPTIONS"],
  document: ["GET", "HEAD", "OPTIONS"],
} as const satisfies Record<Route["kind"], readonly string[]>;

/** The methods that a kind of path answers, as `Allow` lists them. */
export function methodsOf(kind: Route["kind"]): readonly string[] {
  return methods[kind];
}

/** What a path, still percent-encoded, means under `basePath`; null when it means nothing. */
export function routeOf(pathname: string, basePath: string): Route | null {
  if (!pathname.startsWith(`${basePath}/`)) return null;
  const [id = "", action, ...more] = pathname.slice(basePath.length + 1).split("/");
  if (id === "" || more.length > 0) return null;
  switch (action) {
    case undefined:
      return id === "openapi.json" ? { kind: "document" } : { kind: "job", jobId: decodedId(id) };
    case "events":
    case "cancel":
      return { kind: action, jobId: decodedId(id) };
    default:
      return null;
  }
}

// Decoded once: what is encoded twice names a job that holds a percent sign.
function decodedId(segment: string): string | null {
  try {
    const id = decodeURIComponent(segment);
    return id.length <= longestId && !id.includes("\0") ? id : null;
  } catch {
    return null;
  }
}
