import { type Command, installCommands, type Machine } from "./server-plan.js";

/** The names of the program, Debian's first. */
export const browserPrograms = ["chromium", "chromium-browser", "google-chrome"] as const;

/** The sentence that says how to get a browser. */
export const howToGetBrowser = "No Chromium can be had: install it (Debian: apt-get install chromium)";

/** What to do so that a browser can be had. */
export type BrowserPlan =
  | { readonly kind: "ready" }
  | { readonly kind: "install"; readonly commands: readonly Command[] }
  | { readonly kind: "impossible" };

/** Decides what to do; does nothing itself. */
export function planBrowser({ apt, root }: Pick<Machine, "apt" | "root">, installed: boolean): BrowserPlan {
  if (installed) return { kind: "ready" };
  if (!apt || root === "no") return { kind: "impossible" };
  return { kind: "install", commands: installCommands(["chromium"], root === "sudo") };
}
