import { createQueryId, PostgresQueryCompiler, type RawBuilder, sql } from "kysely";

const compiler = new PostgresQueryCompiler();

/** The SQL text of a statement whose parameters are spelled `$1`, `$2`, …: built once, then run many times as it is. */
export function sqlText(statement: RawBuilder<unknown>): string {
  return compiler.compileQuery(statement.toOperationNode(), createQueryId()).sql;
}

/** A table's name, quoted, with its schema where one is given. */
export function tableName(name: string, schema: string | undefined): RawBuilder<unknown> {
  return schema === undefined ? sql.id(name) : sql.id(schema, name);
}
