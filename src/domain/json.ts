import { cleanText } from "./text.js";

/** Any value that JSON can hold. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** A copy that is JSON through and through, or what is wrong and where. */
export type CheckedJson<T extends JsonValue = JsonValue> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: string };

const maxDepth = 32;

/**
 * Copies a value as JSON. Properties that are undefined are left out and `toJSON` is honoured, as `JSON.stringify` does;
 * what it would drop or turn into null in silence (functions, symbols, NaN), cycles and BigInt are refused.
 * Text inside is made well-formed. `__proto__` stays an ordinary key.
 */
export function checkJson(value: unknown, maxBytes: number, name: string): CheckedJson {
  try {
    const budget = {
      units: maxBytes,
      exceeded: `${name} is more than ${maxBytes} bytes of JSON, which is the most that is stored`,
    };
    const copy = copyJson(value, name, [], budget);
    const bytes = sizeOf(copy);
    return bytes > maxBytes
      ? { ok: false, problem: `${name} is ${bytes} bytes of JSON, at most ${maxBytes} are stored` }
      : { ok: true, value: copy };
  } catch (error) {
    if (error instanceof NotJson) return { ok: false, problem: error.message };
    return { ok: false, problem: `${name} cannot be read as JSON` };
  }
}

/** {@link checkJson} for values that must be an object. */
export function checkJsonObject(value: unknown, maxBytes: number, name: string): CheckedJson<JsonObject> {
  const checked = checkJson(value, maxBytes, name);
  if (!checked.ok) return checked;
  return isJsonObject(checked.value)
    ? { ok: true, value: checked.value }
    : { ok: false, problem: `${name} must be a JSON object` };
}

/** The keys of both, the newer value where both have one. */
export function mergeJson(older: JsonObject, newer: JsonObject): JsonObject {
  const merged = emptyObject();
  for (const source of [older, newer]) for (const [key, value] of Object.entries(source)) define(merged, key, value);
  return merged;
}

class NotJson extends Error {}

/** How much may still be copied, in bytes that JSON needs at the least: what is far too large is not copied first. */
interface Budget {
  units: number;
  readonly exceeded: string;
}

function spend(budget: Budget, units: number): void {
  budget.units -= units;
  if (budget.units < 0) throw new NotJson(budget.exceeded);
}

function isJsonObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sizeOf(value: JsonValue): number {
  const text = JSON.stringify(value);
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

function copyJson(value: unknown, path: string, parents: readonly object[], budget: Budget): JsonValue {
  switch (typeof value) {
    case "string":
      return copyText(value, budget);
    case "boolean":
      return value;
    case "number":
      if (Number.isFinite(value)) return value + 0; // JSON has no -0.
      throw new NotJson(`${path} is ${value}, which JSON cannot hold`);
    case "object":
      return value === null ? null : copyStructure(value, path, parents, budget);
    default:
      throw new NotJson(`${path} is ${article(typeof value)}, which JSON cannot hold`);
  }
}

function copyStructure(value: object, path: string, parents: readonly object[], budget: Budget): JsonValue {
  if (parents.includes(value)) throw new NotJson(`${path} refers back to an object that holds it`);
  if (parents.length >= maxDepth) throw new NotJson(`${path} is nested more than ${maxDepth} levels deep`);
  const within = [...parents, value];
  if ("toJSON" in value && typeof value.toJSON === "function") return copyJson(value.toJSON(), path, within, budget);
  if (Array.isArray(value)) return copyArray(value, path, within, budget);
  const copy = emptyObject();
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    spend(budget, 1);
    define(copy, copyText(key, budget), copyJson(item, `${path}.${key}`, within, budget));
  }
  return copy;
}

// Not `map`, which would leave the holes of a sparse array in.
function copyArray(items: readonly unknown[], path: string, parents: readonly object[], budget: Budget): JsonValue {
  const copy: JsonValue[] = [];
  for (let i = 0; i < items.length; i++) {
    spend(budget, 1);
    copy.push(copyJson(items[i] ?? null, `${path}[${i}]`, parents, budget));
  }
  return copy;
}

function copyText(text: string, budget: Budget): string {
  spend(budget, text.length);
  return cleanText(text, Number.POSITIVE_INFINITY);
}

function emptyObject(): Record<string, JsonValue> {
  return {};
}

// Plain assignment to "__proto__" would set the prototype instead of a key.
function define(target: Record<string, JsonValue>, key: string, value: JsonValue): void {
  if (key === "__proto__")
    Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
  else target[key] = value;
}

function article(type: string): string {
  return type === "undefined" ? type : `a ${type}`;
}
