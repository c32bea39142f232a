import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const quickly = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"];

/** A project that installed the packed package and nothing else. */
export interface PackedConsumer {
  readonly folder: string;
  /** Paths of the files in the package. */
  readonly packed: readonly string[];
  /** Writes a script into the project and runs it, answering what it printed. Rejects when it fails. */
  run(file: string, code: string, node?: string): Promise<string>;
  remove(): Promise<void>;
}

/** Packs what is built and installs it into an empty folder, without optional dependencies. */
export async function installPacked(): Promise<PackedConsumer> {
  const folder = await mkdtemp(join(tmpdir(), "worker-progress-consumer-"));
  const pack = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], { cwd: root });
  const [{ filename, files }] = JSON.parse(pack.stdout) as [{ filename: string; files: { path: string }[] }];
  await writeFile(join(folder, "package.json"), '{ "name": "consumer", "private": true }\n');
  await run("npm", ["install", ...quickly, "--omit=optional", join(folder, filename)], { cwd: folder });
  return {
    folder,
    packed: files.map(({ path }) => path),
    async run(file, code, node = process.execPath) {
      await writeFile(join(folder, file), code);
      return (await run(node, [join(folder, file)], { cwd: folder, env: { PATH: process.env.PATH } })).stdout;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Installs a Node of its own, as in "v22.12.0", and answers the path of the program. */
export async function installNode(version: string, folder: string): Promise<string> {
  const platform = process.platform === "win32" ? "win" : process.platform;
  const name = `node-${platform}-${process.arch}`;
  await run("npm", ["install", ...quickly, "--prefix", folder, `${name}@${version.slice(1)}`]);
  return join(folder, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
}
