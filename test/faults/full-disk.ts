import { execFileSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { onDeath } from "../support/process-guard.js";
import { unprivileged } from "../support/unprivileged.js";

/** A way to let the outbox run out of space. */
export interface FullDisk {
  /** Where the error comes from: a file system that is full, or a trigger that raises what a full one does. */
  readonly by: "tmpfs" | "trigger";
  fill(): Promise<void>;
  free(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Moves the outbox to a file system of its own, or where none may be mounted, lets a trigger stand in for one. */
export async function diskOfTheOutbox(db: pg.Pool): Promise<FullDisk> {
  const folder = mount();
  return folder === null ? byTrigger(db) : onTmpfs(db, folder);
}

function mount(): string | null {
  const folder = mkdtempSync(join(tmpdir(), "worker-progress-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], { stdio: "ignore" });
  } catch {
    rmSync(folder, { recursive: true });
    return null;
  }
  const user = unprivileged();
  if (user) chownSync(folder, user.uid, user.gid);
  return folder;
}

async function onTmpfs(db: pg.Pool, folder: string): Promise<FullDisk> {
  const guard = onDeath('umount -l "$1"; rmdir "$1"', folder);
  await db.query(`create tablespace small location '${folder}'`);
  await db.query("alter table worker_progress_outbox set tablespace small");
  await db.query("create table filler (bytes text) tablespace small");
  await db.query("alter table filler alter bytes set storage plain");
  const free = async () => void (await db.query("drop table filler"));
  return {
    by: "tmpfs",
    async fill() {
      for (;;) {
        try {
          await db.query("insert into filler select repeat('x', 7900) from generate_series(1, 8)");
        } catch (error) {
          if ((error as { code?: string }).code === "53100") break;
          throw error;
        }
      }
      await fillPageByPage(db);
    },
    free,
    async [Symbol.asyncDispose]() {
      execFileSync("umount", ["-l", folder]);
      rmSync(folder, { recursive: true });
      guard.dismiss();
    },
  };
}

/** What a batch left because it did not fit as a whole. */
async function fillPageByPage(db: pg.Pool): Promise<void> {
  const single = "insert into filler values (repeat('x', 7900))";
  while (
    await db.query(single).then(
      () => true,
      () => false,
    )
  );
}

async function byTrigger(db: pg.Pool): Promise<FullDisk> {
  await db.query(`
    create function no_space() returns trigger language plpgsql as $$ begin
      raise 'could not extend file: No space left on device' using errcode = '53100';
    end $$`);
  const fill = async () =>
    void (await db.query("create trigger full before insert on worker_progress_outbox execute function no_space()"));
  const free = async () => void (await db.query("drop trigger full on worker_progress_outbox"));
  return { by: "trigger", fill, free, [Symbol.asyncDispose]: async () => {} };
}
