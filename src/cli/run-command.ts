import type { Command } from "./command.js";
import { helpText } from "./help-text.js";
import type { Screen } from "./screen.js";

/** What a command runs with. */
export interface CommandContext {
  readonly screen: Screen;
  readonly version: string;
  /** Fires when the person at the terminal wants it to end. */
  readonly interrupted: AbortSignal;
}

/** Runs a command to its end, loading no more than it needs. Rejects when it fails. */
export async function runCommand(command: Command, context: CommandContext): Promise<void> {
  const { screen, version } = context;
  switch (command.name) {
    case "help":
      return screen.print(
        helpText(command.about)
          .trimEnd()
          .split("\n")
          .map((line) => [line]),
      );
    case "version":
      return screen.print([[version]]);
    case "demo":
      return (await import("./demo/demo.js")).demo(command, context);
    case "migrate":
      return (await import("./migrate.js")).migrate(command, screen);
    case "init-exchanges":
      return (await import("./init-exchanges.js")).initExchanges(command, screen);
  }
}
