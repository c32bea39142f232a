import { type Command, installCommands, type Machine } from "./server-plan.js";

/** What some tests need besides the servers: a program, or modules of one Python. */
export interface Tool {
  readonly name: string;
  /** The names of the program, Debian's first. */
  readonly programs: readonly string[];
  /** The modules that one Python must have. */
  readonly pythonModules?: readonly string[];
  readonly debianPackages: readonly string[];
}

export const chromium: Tool = {
  name: "Chromium",
  programs: ["chromium", "chromium-browser", "google-chrome"],
  debianPackages: ["chromium"],
};

export const amqpConsume: Tool = {
  name: "amqp-consume",
  programs: ["amqp-consume"],
  debianPackages: ["amqp-tools"],
};

export const pikaAndJsonschema = {
  name: "Python with pika and jsonschema",
  programs: [],
  pythonModules: ["pika", "jsonschema"],
  debianPackages: ["python3-pika", "python3-jsonschema"],
} as const satisfies Tool;

export const pgbouncer: Tool = {
  name: "PgBouncer",
  programs: ["pgbouncer"],
  debianPackages: ["pgbouncer"],
};

/** The sentence that says how to get a tool. */
export function howToGetTool({ name, debianPackages }: Tool): string {
  return `No ${name} can be had: install it (Debian: apt-get install ${debianPackages.join(" ")})`;
}

/** What to do so that a tool can be had. */
export type ToolPlan =
  | { readonly kind: "ready" }
  | { readonly kind: "install"; readonly commands: readonly Command[] }
  | { readonly kind: "impossible" };

/** Decides what to do; does nothing itself. */
export function planTool(tool: Tool, { apt, root }: Pick<Machine, "apt" | "root">, installed: boolean): ToolPlan {
  if (installed) return { kind: "ready" };
  if (!apt || root === "no") return { kind: "impossible" };
  return { kind: "install", commands: installCommands(tool.debianPackages, root === "sudo") };
}
