import { execFileSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unprivileged } from "../support/unprivileged.js";

/** Files of a server's certificate, readable to the servers that run as somebody else. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate authority that nobody knows but those who are given its certificate. */
export interface Authority {
  readonly caFile: string;
  /** Makes a certificate for a host name. The files of the same name are replaced. */
  issue(name: string, host: string): Certificate;
  [Symbol.dispose](): void;
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Makes an authority in a folder of its own. */
export function certificateAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), "worker-progress-authority-"));
  const user = unprivileged();
  if (user) chownSync(folder, user.uid, user.gid);
  const openssl = (...args: readonly string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-days",
    "2",
    "-subj",
    "/CN=Test authority",
  );
  return {
    caFile: join(folder, "ca.crt"),
    issue(name, host) {
      const [certFile, keyFile, request, extensions] = ["crt", "key", "csr", "ext"].map((end) =>
        join(folder, `${name}.${end}`),
      ) as [string, string, string, string];
      writeFileSync(extensions, `subjectAltName=DNS:${host}\n`);
      openssl("req", ...newKey, "-keyout", keyFile, "-out", request, "-subj", `/CN=${host}`);
      const signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", extensions];
      openssl("x509", "-req", "-in", request, ...signed, "-out", certFile);
      if (user) for (const file of [certFile, keyFile]) chownSync(file, user.uid, user.gid);
      return { certFile, keyFile };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
