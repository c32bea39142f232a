import type { Command } from "./command.js";
import { demo } from "./demo/demo.js";
import { helpText } from "./help-text.js";
import { initExchanges } from "./init-exchanges.js";
import { migrate } from "./migrate.js";
import type { Screen } from "./screen.js";

/** What a command runs with. */
export interface CommandContext {
  readonly screen: Screen;
  readonly version: string;
  /** Fires when the person at the terminal wants it to end. */
  readonly interrupted: AbortSignal;
}

/** Runs a command to its end. Rejects when it fails. */
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
      return demo(command, context);
    case "migrate":
      return migrate(command, screen);
    case "init-exchanges":
      return initExchanges(command, screen);
  }
}
