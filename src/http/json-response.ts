/** A response of JSON, already written out or not, with its length. */
export function jsonResponse(
  body: object | string,
  {
    status = 200,
    headers = {},
  }: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
): Response {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const length = String(Buffer.byteLength(text));
  return new Response(text, {
    status,
    headers: { "content-type": "application/json", ...headers, "content-length": length },
  });
}
