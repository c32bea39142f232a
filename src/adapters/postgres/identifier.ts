/** PostgreSQL cuts longer names off in silence, so that two of them could mean one column. */
const maxBytes = 63;

/**
 * Checks a table, column or schema name.
 * @throws TypeError naming the option and what is wrong with it
 */
export function checkIdentifier(option: string, name: unknown): void {
  const problem = problemOf(name);
  if (problem !== null) throw new TypeError(`${option} ${problem}`);
}

function problemOf(name: unknown): string | null {
  if (typeof name !== "string") return "must be a string";
  if (name === "") return "cannot be empty";
  if (name.includes("\0") || !name.isWellFormed()) return "cannot hold NUL or a lone surrogate";
  if (Buffer.byteLength(name) > maxBytes) return `has more than the ${maxBytes} bytes of a PostgreSQL name`;
  return null;
}
