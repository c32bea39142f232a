import { PGlite } from "@electric-sql/pglite";
import { Kysely, PGliteDialect } from "kysely";
import { afterAll, beforeAll, describe, test } from "vitest";
import { legacyJobTable, type PostgresStorageOptions, postgresStorage } from "../../src/adapters/postgres/index.js";
import { storageConformance } from "../../src/conformance/storage-conformance.js";
import { legacyTableSql } from "./postgres-subject.js";

const configurations: readonly { name: string; options: PostgresStorageOptions; setup?: string }[] = [
  { name: "its own table", options: {} },
  { name: "the legacy preset", options: { table: legacyJobTable }, setup: legacyTableSql },
];

describe.each(configurations)("storage on PGlite: $name", ({ options, setup = "" }) => {
  const pglite = new PGlite();
  const db = new Kysely<unknown>({ dialect: new PGliteDialect({ pglite }) });
  beforeAll(() => pglite.waitReady);
  afterAll(() => pglite.close());

  storageConformance({
    test,
    factory: async () => {
      await pglite.exec(`drop schema public cascade; create schema public; ${setup}`);
      const storage = postgresStorage(pglite, options);
      const peer = postgresStorage(db, options);
      await storage.schema.migrate();
      return {
        storage,
        peer,
        newId: () => null,
        inTransaction: (body) => db.transaction().execute(body),
        dispose: async () => {
          await Promise.all([storage.close(), peer.close()]);
        },
      };
    },
  });
});
