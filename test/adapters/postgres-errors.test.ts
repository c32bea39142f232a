import { describe, expect, test } from "vitest";
import { importClient } from "../../src/adapters/postgres/open-client.js";
import { storageError } from "../../src/adapters/postgres/postgres-errors.js";
import { isRetryable, WorkerProgressError } from "../../src/domain/errors.js";

const failure = (code: string, message = "what the server said") => Object.assign(new Error(message), { code });

describe("a failed statement", () => {
  test.each([
    ..."40001 40P01 55P03 57P01 57P02 57P03 57P05 57014 25006 28P01 3D000 58030".split(" "),
    ..."08000 08006 08P01 53100 53200 53300".split(" "),
    ..."ECONNREFUSED ECONNRESET EPIPE ETIMEDOUT ENOTFOUND EAI_AGAIN EHOSTUNREACH".split(" "),
  ])("with code %s may succeed when tried again", (code) => {
    const error = storageError(failure(code));
    expect(error.code).toBe("STORAGE_UNAVAILABLE");
    expect(isRetryable(error)).toBe(true);
  });

  test.each([
    "Connection terminated",
    "Connection terminated unexpectedly",
    "Connection terminated due to connection timeout",
    "timeout exceeded when trying to connect",
    "timeout expired",
    "Query read timeout",
    "Client has encountered a connection error and is not queryable",
    "Client was closed and is not queryable",
  ])('without a code may succeed when tried again: "%s"', (message) => {
    expect(storageError(new Error(message)).code).toBe("STORAGE_UNAVAILABLE");
  });

  test.each(["42P01", "42703", "42704", "42804", "42883", "3F000", "42501"])(
    "with code %s tells that the schema is not what the mapping says",
    (code) => {
      expect(storageError(failure(code)).code).toBe("SCHEMA_MISMATCH");
    },
  );

  test.each(["22001", "22P05", "23502", "23505", "23514", "25P02", "0A000", "XX000"])(
    "with code %s was refused for its values",
    (code) => {
      expect(storageError(failure(code)).code).toBe("STORAGE_REJECTED");
    },
  );

  test("keeps its cause and leaves URLs out of the message", () => {
    const cause = failure("08006", "cannot reach postgres://me:secret@db:5432/app?sslmode=require now");
    const error = storageError(cause, { jobId: "42" });
    expect(error.cause).toBe(cause);
    expect(error.jobId).toBe("42");
    expect(error.message).toBe("The database cannot be used now, try again later: cannot reach [url] now");
  });

  test("that is the library's own already stays as it is", () => {
    const error = new WorkerProgressError("UNKNOWN_STATUS", "Cannot read the job");
    expect(storageError(error)).toBe(error);
  });

  test("that is no Error is answered all the same", () => {
    expect(storageError("no").code).toBe("STORAGE_REJECTED");
    expect(storageError(null).message).toContain("null");
    expect(storageError(new AggregateError([], "")).code).toBe("STORAGE_REJECTED");
    expect(storageError(Object.assign(new AggregateError([], ""), { code: "ECONNREFUSED" })).message).toContain(
      "ECONNREFUSED",
    );
  });
});

describe("a client package", () => {
  test("that is not installed is named with the command that installs it", async () => {
    const name = "@worker-progress/not-installed";
    await expect(importClient("pg", () => import(/* @vite-ignore */ name))).rejects.toMatchObject({
      code: "MISSING_DEPENDENCY",
      message: 'Cannot open the database: package "pg" is not installed, run npm install pg',
    });
  });

  test("that is broken fails with its own error", async () => {
    const broken = new SyntaxError("broken");
    await expect(importClient("pg", () => Promise.reject(broken))).rejects.toBe(broken);
  });
});
