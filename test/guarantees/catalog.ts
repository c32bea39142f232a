import type pg from "pg";

/** Everything that makes up the definition of a table, as the catalog has it. */
export async function definitionOf(db: pg.Pool, table: string): Promise<object> {
  const { rows } = await db.query(
    `select
      (select json_agg(json_build_array(attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
        (select pg_get_expr(adbin, adrelid) from pg_attrdef where adrelid = attrelid and adnum = attnum)) order by attnum)
        from pg_attribute where attrelid = c.oid and attnum > 0) as columns,
      (select json_agg(json_build_array(conname, pg_get_constraintdef(oid)) order by conname)
        from pg_constraint where conrelid = c.oid) as constraints,
      (select json_agg(pg_get_indexdef(indexrelid) order by indexrelid) from pg_index where indrelid = c.oid) as indexes,
      (select json_agg(pg_get_triggerdef(oid) order by oid) from pg_trigger where tgrelid = c.oid) as triggers,
      c.reloptions, c.relacl::text, obj_description(c.oid) as comment
    from pg_class as c where c.oid = $1::regclass`,
    [table],
  );
  return rows[0];
}

/** The names of all relations that are not PostgreSQL's own, indexes and sequences aside. */
export async function tablesIn(db: pg.Pool): Promise<string[]> {
  const { rows } = await db.query<{ name: string }>(
    `select nspname || '.' || relname as name from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where relkind in ('r', 'v', 'm', 'p') and nspname not like 'pg\\_%' and nspname <> 'information_schema' order by 1`,
  );
  return rows.map(({ name }) => name);
}
