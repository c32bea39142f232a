import { type RawBuilder, sql } from "kysely";
import { WorkerProgressError } from "../../domain/errors.js";
import type { JobIdType } from "../../domain/job-id.js";
import type { JobColumns } from "./job-table.js";
import type { CatalogColumn } from "./read-catalog.js";

/** A mapped column that exists and has a type the adapter can use. */
export interface ShapeColumn {
  readonly name: RawBuilder<unknown>;
  readonly type: string;
  /** The type to cast text to, as SQL. */
  readonly castTo: RawBuilder<unknown>;
  /** How many decimal places a numeric of limited precision keeps; null for any other type. */
  readonly scale: number | null;
  /** The greatest number that it holds, as SQL. */
  readonly greatest: RawBuilder<unknown> | null;
  readonly labels: readonly string[] | null;
}

type Role = keyof JobColumns;
type RequiredRole = "id" | "status" | "progress" | "attempts";

/** The mapped columns by what they hold; one the mapping has none for is absent. */
export type TableShape = Readonly<Record<RequiredRole, ShapeColumn>> & Readonly<Partial<Record<Role, ShapeColumn>>>;

const textTypes = ["text", "varchar", "bpchar"];
const integerTypes = ["int2", "int4", "int8"];
const jsonTypes = ["jsonb", "json"];
const timestampTypes = ["timestamptz", "timestamp"];
const enumType = "an enum";
const mostDecimals = 12;

const allowedTypes: Readonly<Record<Role, readonly string[]>> = {
  id: [...integerTypes, "uuid", ...textTypes],
  status: [...textTypes, enumType],
  progress: [...integerTypes, "numeric", "float4", "float8"],
  attempts: integerTypes,
  type: [...textTypes, enumType],
  step: textTypes,
  message: textTypes,
  progressAt: timestampTypes,
  rate: ["float8", "float4", "numeric"],
  metrics: jsonTypes,
  output: jsonTypes,
  errorCode: textTypes,
  errorMessage: textTypes,
  cancelRequested: ["bool"],
  startedAt: timestampTypes,
  finishedAt: timestampTypes,
  updatedAt: timestampTypes,
  artefacts: jsonTypes,
  queuePosition: integerTypes,
};

/**
 * Finds the mapped columns in a table.
 * @throws {SCHEMA_MISMATCH} when the table or a column is not there or has a type the adapter cannot use
 */
export function tableShape(
  table: string,
  columns: JobColumns,
  found: readonly CatalogColumn[],
  remedy: string,
): TableShape {
  if (found.length === 0) throw mismatch(`Table ${table} does not exist`, remedy);
  const byName = new Map(found.map((column) => [column.name, column]));
  const shape: Partial<Record<Role, ShapeColumn>> = {};
  for (const [role, place] of Object.entries(columns) as [Role, JobColumns[Role]][]) {
    if (typeof place !== "string") continue;
    const column = byName.get(place);
    if (column === undefined) throw mismatch(`Table ${table} has no column "${place}" for ${role}`, remedy);
    shape[role] = shapeColumn(table, role, column);
  }
  return shape as TableShape;
}

/** The type of the ids as the core knows it. */
export function idType({ id }: TableShape): JobIdType {
  if (id.type === "int8") return "bigint";
  if (id.type === "uuid") return "uuid";
  return integerTypes.includes(id.type) ? "integer" : "text";
}

/** How many decimal places of a percent the column keeps, fewer than none where it keeps tens; null for as many as a number has. */
export function percentDecimals({ progress }: TableShape): number | null {
  if (integerTypes.includes(progress.type)) return 0;
  // A real has six digits that are kept whatever they are.
  if (progress.type === "float4") return 4;
  return progress.scale !== null && progress.scale <= mostDecimals ? progress.scale : null;
}

function shapeColumn(table: string, role: Role, column: CatalogColumn): ShapeColumn {
  const kind = column.labels === null ? column.type : enumType;
  if (!allowedTypes[role].includes(kind)) {
    const expected = allowedTypes[role].join(", ");
    throw mismatch(
      `Column "${column.name}" of table ${table} is of type ${column.fullType}`,
      `${role} needs ${expected}`,
    );
  }
  const { name, type, labels } = column;
  return { name: sql.id(name), type, castTo: castType(column), ...limitsOf(column), labels };
}

function limitsOf({ fullType }: CatalogColumn): Pick<ShapeColumn, "scale" | "greatest"> {
  const [, precision, scale] = /^numeric\((\d+),(-?\d+)\)$/.exec(fullType)?.map(Number) ?? [];
  if (precision === undefined || scale === undefined) return { scale: null, greatest: null };
  return { scale, greatest: sql.raw(`(1e${precision - scale} - 1e${-scale})`) };
}

function castType(column: CatalogColumn): RawBuilder<unknown> {
  // With its precision a numeric rounds the expected value as it rounded the stored one.
  if (column.type === "numeric") return sql.raw(column.fullType);
  // A smallint compares with an integer through its index, and an id beyond its range is unknown rather than an error.
  const type = column.type === "int2" ? "int4" : column.type;
  return sql.id(column.typeSchema, type);
}

function mismatch(problem: string, remedy: string): WorkerProgressError {
  return new WorkerProgressError("SCHEMA_MISMATCH", `${problem}: ${remedy}`);
}
