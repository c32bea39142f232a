import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { breachesOf, targetOf } from "./layer-rules.js";
import { readSource, type Source } from "./read-source.js";

const src = join(import.meta.dirname, "../../src");
const sources = new Map(
  globSync("**/*.ts", { cwd: src }).map((path) => [path, readSource(readFileSync(join(src, path), "utf8"))]),
);

test("every source imports only what its layer may, and suppresses no check", () => {
  expect(sources.size).toBeGreaterThan(50);
  expect([...sources].flatMap(([path, source]) => breachesOf(path, source))).toEqual([]);
});

test("no import leads back to where it came from", () => {
  expect(cyclesOf(sources)).toEqual([]);
});

test.each([
  ["domain/planted.ts", 'import type { Clock } from "../ports/clock.js";', "type import of ../ports/clock.js"],
  ["domain/planted.ts", 'import { readFileSync } from "node:fs";', "value import of node:fs"],
  ["domain/planted.ts", "export const at = new Date();", "uses new Date()"],
  ["domain/planted.ts", "export const at = Date();", "uses Date()"],
  ["domain/planted.ts", "export const at = Date.now();", "uses Date.now"],
  ["domain/planted.ts", 'export const at = Date["now"]();', "uses Date.now"],
  ["domain/planted.ts", "export const draw = () => Math.random();", "uses Math.random"],
  ["domain/planted.ts", "setTimeout(() => {}, 1);", "uses setTimeout"],
  ["domain/planted.ts", "export const later = { run: setImmediate };", "uses setImmediate"],
  ["domain/planted.ts", "export const id = process.pid;", "uses process"],
  ["ports/planted.ts", 'export { Slots } from "../engine/slots.js";', "value import of ../engine/slots.js"],
  ["engine/planted.ts", 'import "../adapters/redis/index.js";', "value import of ../adapters/redis/index.js"],
  ["engine/planted.ts", 'import type { R } from "../reporter/r.js";', "type import of ../reporter/r.js"],
  ["engine/planted.ts", 'export type P = import("../adapters/redis/a.js").P;', "type import of ../adapters/redis/a.js"],
  [
    "engine/planted.ts",
    'const a = () => import("../adapters/redis/a.js");',
    "dynamic import of ../adapters/redis/a.js",
  ],
  ["reporter/planted.ts", 'export * from "../adapters/redis/index.js";', "value import of ../adapters/redis/index.js"],
  ["reporter/planted.ts", 'import { o } from "../options.js";', "value import of ../options.js"],
  ["adapters/redis/planted.ts", 'import { w } from "../memory/w.js";', "value import of ../memory/w.js"],
  ["adapters/redis/planted.ts", 'import { s } from "../../engine/slots.js";', "value import of ../../engine/slots.js"],
  ["adapters/redis/planted.ts", 'import { Redis } from "ioredis";', "value import of ioredis"],
  ["adapters/redis/planted.ts", 'import type { Pool } from "pg";', "type import of pg"],
  ["adapters/redis/planted.ts", 'const pg = () => import("pg");', "dynamic import of pg"],
  ["adapters/redis/planted.ts", "const pg = (name: string) => import(name);", "dynamic import of (computed)"],
  ["adapters/memory/planted.ts", 'import { sql } from "kysely";', "value import of kysely"],
  ["conformance/planted.ts", 'import { test } from "vitest";', "value import of vitest"],
  ["system-clock.ts", 'import { r } from "./adapters/redis/r.js";', "value import of ./adapters/redis/r.js"],
  ["create-progress-reporter.ts", 'import pg from "pg";', "value import of pg"],
  ["engine/planted.ts", 'import { Slots } from "./slots";', "value import of ./slots"],
  ["engine/planted.ts", "// @ts-expect-error\nexport const a: number = 1;", "suppresses a check with @ts-expect-error"],
  ["engine/planted.ts", "// biome-ignore lint: planted\nexport const a = 1;", "suppresses a check with biome-ignore"],
  ["planted/planted.ts", "export const a = 1;", 'no rule for folder "planted"'],
])("in %s, `%s` is a breach", (path, code, breach) => {
  expect(breachesOf(path, readSource(code))).toEqual([`${path}: ${breach}`]);
});

test.each([
  ["domain/planted.ts", "export const at = (ms: number) => new Date(ms).toISOString();"],
  ["domain/planted.ts", 'export const words = { process: 1, "setTimeout": "Date.now()" }; // new Date()'],
  ["domain/planted.ts", "export const read = (job: { readonly performance: number }) => job.performance;"],
  ["engine/planted.ts", 'import { decide } from "../domain/decide.js";\nimport { v7 } from "uuid";'],
  ["adapters/redis/planted.ts", 'export const open = (): Promise<typeof import("ioredis")> => import("ioredis");'],
  ["create-progress-reporter.ts", 'import { redisThrottle } from "./adapters/redis/index.js";'],
])("in %s, `%s` is none", (path, code) => {
  expect(breachesOf(path, readSource(code))).toEqual([]);
});

test("a planted circular import is found", () => {
  const planted = {
    "a.ts": 'import { b } from "./b/b.js";',
    "b/b.ts": 'export { c } from "./c.js";',
    "b/c.ts": 'import { a } from "../a.js";\nimport type { d } from "../d.js";',
    "d.ts": 'import { a } from "./a.js";',
  };
  const read = new Map(Object.entries(planted).map(([path, code]) => [path, readSource(code)]));
  expect(cyclesOf(read)).toEqual(["a.ts → b/b.ts → b/c.ts → a.ts"]);
});

/** Circles of imports that exist at run time: a circle of types alone is no matter of loading order. */
function cyclesOf(all: ReadonlyMap<string, Source>): readonly string[] {
  const cycles: string[] = [];
  const left = new Set<string>();
  const enter = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
    if (trail.includes(path) || left.has(path)) return;
    for (const { from, kind } of all.get(path)?.imports ?? []) {
      const target = targetOf(path, from);
      if (kind === "value" && target !== null) enter(target, [...trail, path]);
    }
    left.add(path);
  };
  for (const path of all.keys()) enter(path, []);
  return cycles;
}
