import type { JobWrite, StorageAdapter } from "../../ports/storage.js";

/** The same storage, which tells of each write that was stored. */
export function watchedStorage(storage: StorageAdapter, onCommitted: (write: JobWrite) => void): StorageAdapter {
  return {
    outbox: storage.outbox,
    schema: storage.schema,
    prepare: () => storage.prepare(),
    load: (ids, transaction) => storage.load(ids, transaction),
    create: (job) => storage.create(job),
    close: () => storage.close(),
    commit: async (writes, transaction) => {
      const outcomes = await storage.commit(writes, transaction);
      writes.forEach((write, index) => {
        if (outcomes[index]?.kind === "committed") onCommitted(write);
      });
      return outcomes;
    },
  };
}
