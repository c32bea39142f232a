import type pg from "pg";

/** What the server says of the outbox's table. */
export interface TableFigures {
  readonly bytes: number;
  readonly deadRows: number;
  readonly vacuums: number;
}

export async function tableFigures(db: pg.Pool): Promise<TableFigures> {
  const { rows } = await db.query<TableFigures>(`
    select pg_table_size(relid)::int as bytes, n_dead_tup::int as "deadRows", autovacuum_count::int as vacuums
    from pg_stat_user_tables where relname = 'worker_progress_outbox'`);
  return rows[0] as TableFigures;
}
