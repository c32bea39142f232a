import type { CallerTransaction, StorageAdapter } from "../ports/storage.js";

/** A storage of its own for one case: empty, its tables made. */
export interface StorageUnderTest {
  readonly storage: StorageAdapter;
  /** A second adapter on the same store, as another process has it. */
  readonly peer: StorageAdapter;
  /** An id for a new job, never the same twice; null where the store is to choose. */
  newId(): string | null;
  /** Runs `body` in a transaction of the caller's: committed when it resolves, rolled back when it rejects. */
  inTransaction(body: (transaction: CallerTransaction) => Promise<void>): Promise<void>;
  /** Closes and removes everything. */
  dispose(): Promise<void>;
}

/** What a storage does beyond loading and committing: true, or the reason why not. */
export interface StorageSupports {
  /** @default true */
  readonly outbox?: true | string;
  /** @default true */
  readonly transactions?: true | string;
  /** Whether the store chooses an id where none is given. @default true */
  readonly choosesIds?: true | string;
}

/** The `test` or `it` of a test runner. */
export type RegisterTest = (name: string, body: () => Promise<void>) => void;

/** One promise of the port and the body that holds a storage to it. */
export interface StorageCase {
  readonly name: string;
  readonly body: (subject: StorageUnderTest) => Promise<void>;
}
