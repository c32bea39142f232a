import { spawnSync } from "node:child_process";

/** A Python that has all the modules: the first on the path, or the one that Debian's packages belong to. */
export function pythonWith(modules: readonly string[]): string | null {
  const imports = `import ${modules.join(", ")}`;
  return ["python3", "/usr/bin/python3"].find((python) => spawnSync(python, ["-c", imports]).status === 0) ?? null;
}
