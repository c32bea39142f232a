import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { parseAst } from "vitest/node";
import { type Names, published } from "./published-names.js";
import { type Import, readSource } from "./read-source.js";

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

const root = join(import.meta.dirname, "../..");
const manifest: Manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const entries = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
  typeof target === "string" ? [] : [{ subpath, js: join(root, target.default), types: join(root, target.types) }],
);

const optional = Object.entries(manifest.peerDependenciesMeta ?? {}).flatMap(([name, meta]) =>
  meta.optional ? [name] : [],
);
const installedWithUs = new Set(
  Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).filter((name) => !optional.includes(name)),
);

test("the table names every entry of the package", () => {
  expect(Object.keys(published).sort()).toEqual(entries.map(({ subpath }) => subpath).sort());
});

test("the main entry stays small enough to read", () => {
  const { values, types } = published["."] as Names;
  expect(values.length + types.length).toBeLessThanOrEqual(25);
});

describe.each(entries)("$subpath", ({ subpath, js, types }) => {
  test("has its code and its declarations built", () => {
    expect([js, types].filter((file) => !existsSync(file))).toEqual([]);
  });

  test("exports the names that it promises, no more", async () => {
    const { values, types: typeNames } = declaredNames(readFileSync(types, "utf8"));
    expect({ values, types: typeNames }).toEqual(published[subpath]);
    expect(Object.keys(await import(pathToFileURL(js).href)).sort()).toEqual(values);
  });

  test("declares nothing as any, and nothing by the types of a client", () => {
    const declarations = [...reachableFrom(types)].map((file) => ({ file, ...readDeclarations(file) }));
    expect(declarations.length).toBeGreaterThan(0);
    expect(declarations.filter(({ mentionsAny }) => mentionsAny).map(({ file }) => file)).toEqual([]);
    const packages = declarations.flatMap(({ imports }) => imports.map(({ from }) => from).filter(isPackage));
    expect(packages.filter((from) => !installedWithUs.has(packageOf(from)))).toEqual([]);
  });
});

test("the built code imports what is installed with it, and an optional peer only when it is used", () => {
  const files = globSync("dist/**/*.js", { cwd: root });
  const imports = files.flatMap((file) => readSource(readFileSync(join(root, file), "utf8"), "js").imports);
  const packages = imports.filter(({ from }) => isPackage(from));
  const allowed = ({ from, kind }: Import) =>
    installedWithUs.has(packageOf(from)) || (kind === "dynamic" && optional.includes(packageOf(from)));
  expect(packages.filter((each) => !allowed(each))).toEqual([]);
  expect(new Set(packages.map(({ from }) => packageOf(from)))).toEqual(new Set([...installedWithUs, ...optional]));
});

function declaredNames(declarations: string): Names {
  const values: string[] = [];
  const types: string[] = [];
  for (const node of parseAst(declarations, { lang: "dts" }).body) {
    if (node.type === "ExportAllDeclaration") throw new Error("An entry names what it exports, one by one");
    if (node.type !== "ExportNamedDeclaration") continue;
    if (node.declaration) throw new Error("An entry only exports what other files declare");
    for (const { exported, exportKind } of node.specifiers) {
      const name = exported.type === "Identifier" ? exported.name : exported.value;
      (node.exportKind === "type" || exportKind === "type" ? types : values).push(name);
    }
  }
  return { values: values.sort(), types: types.sort() };
}

/** A declaration file and all that it imports, by way of others too. */
function reachableFrom(file: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const { from } of readDeclarations(file).imports) {
    if (from.startsWith(".")) reachableFrom(join(dirname(file), from.replace(/\.js$/, ".d.ts")), seen);
  }
  return seen;
}

function readDeclarations(file: string): ReturnType<typeof readSource> {
  return readSource(readFileSync(file, "utf8"), "dts");
}

function isPackage(from: string): boolean {
  return !from.startsWith(".") && !from.startsWith("node:");
}

function packageOf(from: string): string {
  return from
    .split("/")
    .slice(0, from.startsWith("@") ? 2 : 1)
    .join("/");
}
