import { type Command, installCommands, type Machine } from "./server-plan.js";

/** A program besides the servers that some tests need. */
export interface Tool {
  readonly name: string;
  /** The names of the program, Debian's first. */
  readonly programs: readonly string[];
  /** Where it is no program but a module for Python. */
  readonly pythonModule?: string;
  readonly debianPackage: string;
}

export const chromium: Tool = {
  name: "Chromium",
  programs: ["chromium", "chromium-browser", "google-chrome"],
  debianPackage: "chromium",
};

export const amqpConsume: Tool = {
  name: "amqp-consume",
  programs: ["amqp-consume"],
  debianPackage: "amqp-tools",
};

export const pika: Tool = {
  name: "pika",
  programs: [],
  pythonModule: "pika",
  debianPackage: "python3-pika",
};

export const jsonschema: Tool = {
  name: "jsonschema",
  programs: [],
  pythonModule: "jsonschema",
  debianPackage: "python3-jsonschema",
};

export const pgbouncer: Tool = {
  name: "PgBouncer",
  programs: ["pgbouncer"],
  debianPackage: "pgbouncer",
};

/** The sentence that says how to get a tool. */
export function howToGetTool({ name, debianPackage }: Tool): string {
  return `No ${name} can be had: install it (Debian: apt-get install ${debianPackage})`;
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
  return { kind: "install", commands: installCommands([tool.debianPackage], root === "sudo") };
}
