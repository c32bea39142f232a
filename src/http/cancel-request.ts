import { type ProblemCode, problemResponse } from "./problem.js";
import { cancelRequestSchema } from "./schemas.js";

const mostBytes = 4_096;

/** The reason that the body gives, or what to answer instead of cancelling. */
export type CancelRequest =
  | { readonly ok: true; readonly reason: string | undefined }
  | { readonly ok: false; readonly response: Response };

/** Reads the optional body of a cancellation, at most 4096 bytes of it. */
export async function readCancelRequest(request: Request): Promise<CancelRequest> {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  // A page elsewhere can send forms and text without asking first, JSON not.
  if (type !== "application/json" && (type !== undefined || request.body !== null))
    return refused("UNSUPPORTED_MEDIA_TYPE");
  if (Number(request.headers.get("content-length")) > mostBytes) return refused("CONTENT_TOO_LARGE");
  const text = await readText(request.body);
  if (text === null) return refused("CONTENT_TOO_LARGE");
  if (text === "") return { ok: true, reason: undefined };
  const parsed = cancelRequestSchema.safeParse(parseJson(text));
  return parsed.success
    ? { ok: true, reason: parsed.data.reason }
    : refused("INVALID_ARGUMENT", 'The body must be a JSON object with no more than a text "reason"');
}

function refused(code: ProblemCode, detail?: string): CancelRequest {
  return { ok: false, response: problemResponse(code, detail === undefined ? {} : { detail }) };
}

async function readText(body: ReadableStream<Uint8Array> | null): Promise<string | null> {
  if (body === null) return "";
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > mostBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
