import type { JobWrite, StorageAdapter } from "../../ports/storage.js";

/** The same storage, which tells of each write that was stored. For a storage whose methods are bound. */
export function watchedStorage(storage: StorageAdapter, onCommitted: (write: JobWrite) => void): StorageAdapter {
  return {
    ...storage,
    commit: async (writes, transaction) => {
      const outcomes = await storage.commit(writes, transaction);
      writes.forEach((write, index) => {
        if (outcomes[index]?.kind === "committed") onCommitted(write);
      });
      return outcomes;
    },
  };
}
