import type { CommandName } from "./command.js";

/** A command line that asks for what is not there. Ends the program with exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** Whose help says more. */
  readonly command: CommandName | null;

  constructor(message: string, command: CommandName | null = null) {
    super(message);
    this.command = command;
  }
}
