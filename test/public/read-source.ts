import { parseAst } from "vitest/node";

/** One import of a source, whichever way it is written. */
export interface Import {
  readonly from: string;
  readonly kind: "value" | "type" | "dynamic";
}

/** What the layers test looks at in a source. */
export interface Source {
  readonly imports: readonly Import[];
  /** Where it reads the clock, chance or the process, as the code says it. */
  readonly impurities: readonly string[];
  readonly suppressions: readonly string[];
  readonly mentionsAny: boolean;
}

interface Node {
  readonly type: string;
  readonly [field: string]: unknown;
}

const impureGlobals = new Set(
  ["process", "Buffer", "console", "fetch", "crypto", "performance", "globalThis", "require", "eval"].concat([
    "setTimeout",
    "setInterval",
    "setImmediate",
    "queueMicrotask",
  ]),
);
const impureMembers = new Set(["Date.now", "Math.random"]);

/** Reads TypeScript by its syntax tree, so that neither comments nor strings mislead. */
export function readSource(code: string, lang: "ts" | "dts" | "js" = "ts"): Source {
  const imports: Import[] = [];
  const impurities: string[] = [];
  let mentionsAny = false;
  visit(parseAst(code, { lang }), null, (node, parent) => {
    mentionsAny ||= node.type === "TSAnyKeyword";
    const found = importOf(node);
    if (found !== null) imports.push(found);
    const impure = impurityOf(node, parent);
    if (impure !== null) impurities.push(impure);
  });
  const suppressions = code.match(/biome-ignore(-\w+)?|@ts-(ignore|expect-error|nocheck)/g) ?? [];
  return { imports, impurities, suppressions, mentionsAny };
}

function visit(value: unknown, parent: Node | null, see: (node: Node, parent: Node | null) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, parent, see);
  } else if (isNode(value)) {
    see(value, parent);
    for (const child of Object.values(value)) visit(child, value, see);
  }
}

function importOf(node: Node): Import | null {
  switch (node.type) {
    case "ImportDeclaration":
      return { from: text(node.source), kind: node.importKind === "type" ? "type" : "value" };
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
      return node.source ? { from: text(node.source), kind: node.exportKind === "type" ? "type" : "value" } : null;
    case "ImportExpression":
      return { from: text(node.source), kind: "dynamic" };
    case "CallExpression":
      return isNode(node.callee) && isCallOf(node.callee, "createRequire")
        ? { from: text((node.arguments as unknown[])[0]), kind: "dynamic" }
        : null;
    case "TSImportType":
      return { from: text(node.source ?? node.argument), kind: "type" };
    default:
      return null;
  }
}

function impurityOf(node: Node, parent: Node | null): string | null {
  if (isCallOf(node, "Date") && (node.arguments as unknown[]).length === 0) {
    return node.type === "NewExpression" ? "new Date()" : "Date()";
  }
  if (node.type === "MemberExpression") {
    const member = `${name(node.object)}.${name(node.property) ?? text(node.property)}`;
    return impureMembers.has(member) ? member : null;
  }
  const own = name(node);
  return own !== null && impureGlobals.has(own) && !isKey(node, parent) ? own : null;
}

function isCallOf(node: Node, callee: string): boolean {
  return (node.type === "NewExpression" || node.type === "CallExpression") && name(node.callee) === callee;
}

function isKey(node: Node, parent: Node | null): boolean {
  return parent !== null && (parent.key === node || parent.property === node) && parent.computed !== true;
}

function name(node: unknown): string | null {
  return isNode(node) && node.type === "Identifier" ? String(node.name) : null;
}

function text(node: unknown): string {
  if (!isNode(node)) return "";
  return isNode(node.literal) ? text(node.literal) : typeof node.value === "string" ? node.value : "(computed)";
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}
