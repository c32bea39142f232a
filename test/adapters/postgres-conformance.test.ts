import { randomUUID } from "node:crypto";
import type pg from "pg";
import { afterAll, beforeAll, describe, test } from "vitest";
import { legacyJobTable, type PostgresSource, type PostgresStorageOptions } from "../../src/adapters/postgres/index.js";
import { storageConformance } from "../../src/conformance/storage-conformance.js";
import type { StorageSupports } from "../../src/conformance/storage-under-test.js";
import { legacyTableSql, migratedSubject, type ServerDatabase, serverDatabase } from "./postgres-subject.js";

interface Configuration {
  readonly name: string;
  readonly sources?: (database: ServerDatabase) => readonly [PostgresSource, PostgresSource];
  readonly options?: PostgresStorageOptions;
  readonly newId?: () => string | null;
  readonly setup?: string;
  /** Settings of the pools. */
  readonly pool?: pg.PoolConfig;
  readonly supports?: StorageSupports;
}

/** Parsers that turn whatever is not text into something no adapter can use. */
const strangeTypes = { getTypeParser: (oid: number) => (value: string) => (oid === 25 ? value : { parsed: value }) };

const newYork = "-c TimeZone=America/New_York -c DateStyle=SQL,DMY -c IntervalStyle=sql_standard";

const awkwardName = `o'clock "quoted" Schéma`;

const configurations: readonly Configuration[] = [
  { name: "a pg Pool" },
  { name: "a URL", sources: ({ url }) => [url, url] },
  { name: "a Kysely with CamelCasePlugin", sources: ({ camelCase }) => [camelCase, camelCase] },
  { name: "integer ids", options: { idType: "integer" } },
  { name: "uuid ids", options: { idType: "uuid" }, newId: () => randomUUID() },
  { name: "text ids", options: { idType: "text" }, newId: () => `job "${randomUUID()}" {é,\\}` },
  { name: "a schema and an outbox with awkward names", options: { schema: awkwardName, outboxTable: `the "outbox"` } },
  { name: "the legacy preset", options: { table: legacyJobTable }, setup: legacyTableSql },
  {
    name: "the legacy preset, whose timestamps have no time zone, in New York",
    options: { table: legacyJobTable },
    setup: legacyTableSql,
    pool: { options: newYork },
  },
  { name: "a pool with type parsers of the user's", pool: { types: strangeTypes as pg.CustomTypesConfig } },
  {
    name: "no outbox",
    options: { outbox: false },
    supports: { outbox: "delivery is direct" },
  },
];

describe.each(configurations)("storage on PostgreSQL: $name", (configuration) => {
  let database: ServerDatabase;
  beforeAll(async () => {
    database = await serverDatabase(configuration.pool);
  });
  afterAll(() => database.drop());

  storageConformance({
    test,
    supports: configuration.supports ?? {},
    factory: async () => {
      const { sources = ({ pool, otherPool }) => [pool, otherPool], options = {}, newId = () => null } = configuration;
      await database.reset(configuration.setup);
      return migratedSubject(database, sources(database), options, newId);
    },
  });
});
