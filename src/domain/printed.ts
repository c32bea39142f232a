/** A value as text, also one that cannot be made text, such as an object without a prototype. */
export function printed(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "something that cannot be printed";
  }
}
