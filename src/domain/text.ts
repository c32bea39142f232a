/**
 * Text that every store and broker takes: well-formed Unicode without NUL, at most `maxLength` UTF-16 units.
 * NUL and lone surrogates become U+FFFD; what is cut ends in an ellipsis.
 */
export function cleanText(text: string, maxLength: number): string {
  const whole = text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
  const cut = whole === text ? text : withoutHalfPair(whole);
  const formed = cut.isWellFormed() ? cut : cut.toWellFormed();
  return formed.includes("\0") ? formed.replaceAll("\0", "\uFFFD") : formed;
}

function withoutHalfPair(cut: string): string {
  return /[\uD800-\uDBFF]…$/.test(cut) ? `${cut.slice(0, -2)}…` : cut;
}
