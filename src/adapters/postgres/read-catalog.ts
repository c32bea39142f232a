import { sql } from "kysely";
import type { Run } from "./run.js";
import { sqlText } from "./sql-text.js";

/** A column as the catalog knows it, a domain as the type beneath it. */
export interface CatalogColumn {
  readonly name: string;
  readonly type: string;
  readonly typeSchema: string;
  /** With its precision, as in `numeric(5,2)`. */
  readonly fullType: string;
  /** The labels of an enum; null for any other type. */
  readonly labels: readonly string[] | null;
}

/** A table to look up; without a schema the search path decides. */
export interface TableAddress {
  readonly name: string;
  readonly schema: string | undefined;
}

const readCatalog = sqlText(sql`
  select wanted.n::text as n, a.attname::text as name, t.typname::text as type, ts.nspname::text as type_schema,
    pg_catalog.format_type(t.oid, case when d.typtype = 'd' then d.typtypmod else a.atttypmod end) as full_type,
    case when t.typtype = 'e' then (
      select pg_catalog.json_agg(e.enumlabel)::text from pg_catalog.pg_enum e where e.enumtypid = t.oid
    ) end as labels
  from unnest($1::text[], $2::text[]) with ordinality as wanted(name, schema, n)
  join pg_catalog.pg_class c on c.relname = wanted.name and c.relkind in ('r', 'p', 'v', 'f')
  join pg_catalog.pg_namespace s on s.oid = c.relnamespace
    and case when wanted.schema is null then pg_catalog.pg_table_is_visible(c.oid) else s.nspname = wanted.schema end
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  join pg_catalog.pg_type d on d.oid = a.atttypid
  join pg_catalog.pg_type t on t.oid = case when d.typtype = 'd' then d.typbasetype else d.oid end
  join pg_catalog.pg_namespace ts on ts.oid = t.typnamespace`);

/** Reads the columns of tables, in the order of the addresses; a table that is not there has none. */
export async function catalogColumns(
  run: Run,
  tables: readonly TableAddress[],
): Promise<readonly (readonly CatalogColumn[])[]> {
  const names = tables.map((table) => table.name);
  const schemas = tables.map((table) => table.schema ?? null);
  const rows = await run(readCatalog, [names, schemas]);
  return tables.map((_, index) =>
    rows
      .filter((row) => row.n === String(index + 1))
      .map((row) => ({
        name: row.name ?? "",
        type: row.type ?? "",
        typeSchema: row.type_schema ?? "",
        fullType: row.full_type ?? "",
        labels: row.labels ? JSON.parse(row.labels) : null,
      })),
  );
}
