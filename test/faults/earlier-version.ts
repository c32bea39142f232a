import { execFile } from "node:child_process";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { WorkerOptions } from "../support/child-process.js";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const resolveVersion = new URL("./workers/resolve-version.ts", import.meta.url);

/** Another version of the library, built into a folder of its own. */
export interface OtherVersion extends AsyncDisposable {
  /** What makes a worker process import that version instead of this one. */
  readonly worker: WorkerOptions;
  /** Whether it is the commit's own; where the history does not reach back that far, it is a second copy of this version. */
  readonly isEarlier: boolean;
}

/** Builds the library as a commit had it. */
export async function earlierVersion(commit: string): Promise<OtherVersion> {
  const folder = await mkdtemp(join(tmpdir(), "worker-progress-version-"));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"), "dir");
  const isEarlier = await hasCommit(commit);
  if (isEarlier) await build(commit, folder);
  else await cp(join(root, "dist"), join(folder, "dist"), { recursive: true });
  await cp(join(root, "package.json"), join(folder, "package.json"), { force: false });
  return {
    isEarlier,
    worker: {
      nodeArgs: ["--import", resolveVersion.href],
      env: { WORKER_PROGRESS_VERSION: pathToFileURL(join(folder, "dist", "index.js")).href },
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function build(commit: string, folder: string): Promise<void> {
  const archive = join(folder, "source.tar");
  const wanted = ["src", "package.json", "tsconfig.json", "tsup.config.ts"];
  await run("git", ["archive", "--output", archive, commit, ...wanted], { cwd: root });
  await run("tar", ["-xf", archive, "-C", folder]);
  await run(process.execPath, [join(root, "node_modules", "tsup", "dist", "cli-default.js"), "--silent"], {
    cwd: folder,
  });
}

function hasCommit(commit: string): Promise<boolean> {
  return run("git", ["cat-file", "-e", `${commit}^{commit}`], { cwd: root }).then(
    () => true,
    () => false,
  );
}
