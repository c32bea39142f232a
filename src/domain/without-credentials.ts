/** Text without the user and password of any URL in it. */
export function withoutCredentials(text: string): string {
  // A password that is not encoded may hold a slash or an @: everything up to the last @ of the word goes.
  return text.replace(/([a-z][a-z\d+.-]*:\/\/)\S*@/gi, "$1***@");
}
