import { type JsonObject, mergeJson } from "./json.js";

/** What a worker reports. An absent key leaves what is stored. */
export interface ProgressUpdate {
  /** 0–100, checked and clamped. */
  readonly percent: number;
  readonly step?: string | undefined;
  readonly message?: string | undefined;
  /** Checked JSON. */
  readonly metrics?: JsonObject | undefined;
}

/** One update that stores what both would have stored, one after the other. */
export function coalesce(older: ProgressUpdate | null, newer: ProgressUpdate): ProgressUpdate {
  if (older === null) return newer;
  return {
    percent: newer.percent,
    step: newer.step ?? older.step,
    message: newer.message ?? older.message,
    metrics:
      older.metrics && newer.metrics ? mergeJson(older.metrics, newer.metrics) : (newer.metrics ?? older.metrics),
  };
}
