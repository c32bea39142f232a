import type { JobEvent } from "./event.js";

/** Makes an event fit to leave the house. */
export type Redaction = (event: JobEvent) => JobEvent;

const redacted = "[redacted]";

/**
 * Replaces what stands under these names in the texts of an event, whatever their case: a field of that name as a whole
 * (step, message, error_code, error_message), and inside texts the value in `name=value`, `name: value` and `"name": "value"`. A
 * value after an equals sign ends at white space, one after a colon at a comma, semicolon, bracket or the end of its line: rather
 * too much than too little.
 */
export function redaction(names: readonly string[]): Redaction {
  if (names.length === 0) return (event) => event;
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  const inTexts = valuesOf(names);
  const clean = <T extends string | null>(field: string, text: T): T => {
    if (text === null) return text;
    const cleaned = wanted.has(field)
      ? redacted
      : inTexts.reduce((to, from) => to.replace(from, `$1${redacted}`), text as string);
    return cleaned as T;
  };
  return ({ payload, ...event }) => ({
    ...event,
    payload: {
      ...payload,
      step: clean("step", payload.step),
      message: clean("message", payload.message),
      ...(payload.error_code === undefined ? {} : { error_code: clean("error_code", payload.error_code) }),
      ...(payload.error_message === undefined ? {} : { error_message: clean("error_message", payload.error_message) }),
    },
  });
}

/** Linear in the text: where a name stands there is one way to go on. */
function valuesOf(names: readonly string[]): readonly RegExp[] {
  const longestFirst = [...names].sort((a, b) => b.length - a.length);
  const anyName = longestFirst.map((name) => name.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)).join("|");
  const name = String.raw`(?<![\p{L}\p{N}_])(?:${anyName})["']?[ \t]*`;
  const quoted = String.raw`"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?`;
  return [
    new RegExp(String.raw`(${name}=[ \t]*)(?:${quoted}|[^\s,;&]+)`, "giu"),
    new RegExp(String.raw`(${name}:[ \t]*)(?:${quoted}|[^,;\r\n\]}]+)`, "giu"),
  ];
}
