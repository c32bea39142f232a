/** A row as this adapter's statements answer it: every value cast to text in SQL, where no type parser can touch it. */
export type TextRow = Readonly<Record<string, string | null>>;

/** Runs one statement on the database or on the caller's transaction. Rejects with a `WorkerProgressError`. */
export type Run = (text: string, parameters: readonly unknown[]) => Promise<readonly TextRow[]>;
