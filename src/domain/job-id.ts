/** How callers name a job: the value of the id column. `42`, `42n` and `"42"` are the same job. */
export type JobId = string | number | bigint;

/** What the id column holds. */
export type JobIdType = "integer" | "bigint" | "uuid" | "text";

/** The text an id is known by inside the library, or what is wrong with it. */
export type CanonicalJobId =
  | { readonly ok: true; readonly id: string }
  | { readonly ok: false; readonly problem: string };

const integerRange = { integer: 2n ** 31n, bigint: 2n ** 63n } as const;
const wholeNumber = /^(0|-?[1-9]\d{0,18})$/;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const maxTextLength = 512;

/** The one spelling of an id for the type of its column: two spellings of a job must never become two jobs. */
export function canonicalJobId(id: JobId, type: JobIdType): CanonicalJobId {
  const text = String(id);
  switch (type) {
    case "integer":
    case "bigint":
      return wholeNumber.test(text) && inRange(BigInt(text), integerRange[type])
        ? { ok: true, id: text }
        : { ok: false, problem: `the id column is of type ${type}` };
    case "uuid": {
      const lower = text.toLowerCase();
      return uuid.test(lower) ? { ok: true, id: lower } : { ok: false, problem: "the id column is of type uuid" };
    }
    case "text":
      if (text.length === 0) return { ok: false, problem: "an id cannot be empty" };
      if (text.length > maxTextLength) return { ok: false, problem: `an id has at most ${maxTextLength} characters` };
      return text.includes("\0") || !text.isWellFormed()
        ? { ok: false, problem: "an id cannot hold NUL or a lone surrogate" }
        : { ok: true, id: text };
  }
}

/** How an id reads in JSON: a number where the column is numeric and JavaScript can hold it exactly, else a string. */
export function jsonJobId(id: string, type: JobIdType): number | string {
  if (type !== "integer" && type !== "bigint") return id;
  const value = Number(id);
  return Number.isSafeInteger(value) ? value : id;
}

/** Whether a value can name a job at all, before its column is known. */
export function isJobId(value: unknown): value is JobId {
  return (
    (typeof value === "string" && value !== "") ||
    typeof value === "bigint" ||
    (typeof value === "number" && Number.isSafeInteger(value))
  );
}

function inRange(value: bigint, limit: bigint): boolean {
  return value >= -limit && value < limit;
}
