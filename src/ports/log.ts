/** Where the library says what an operator should know. `console` fits. Never gets a password or a URL with one. */
export interface Log {
  warn(message: string, details?: Readonly<Record<string, unknown>>): void;
}
