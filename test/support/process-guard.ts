import { spawn } from "node:child_process";

/**
 * Runs a shell script once this process has died, however it died; `dismiss` calls it off. The shell's `read` ends when
 * the other end of its pipe is let go of, which no signal can prevent: exit handlers miss SIGKILL.
 */
export function onDeath(script: string, ...args: readonly string[]): { dismiss(): void } {
  const guard = spawn("/bin/sh", ["-c", `read _; ${script}`, "guard", ...args], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.unref();
  // A pipe is a socket, whatever its declared type says.
  (guard.stdin as unknown as { unref(): void }).unref();
  return { dismiss: () => guard.kill("SIGKILL") };
}
