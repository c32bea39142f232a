import { describe, test } from "vitest";
import { storageConformance } from "../../src/conformance/storage-conformance.js";
import { systemClock } from "../../src/system-clock.js";
import { InMemoryStorage } from "../support/in-memory-storage.js";

// The engine's tests stand on this storage: it has to keep the port's promises as the real ones do.
describe("storage in memory", () =>
  storageConformance({
    test,
    factory: async () => {
      const storage = new InMemoryStorage(systemClock);
      return {
        storage,
        peer: storage,
        newId: () => null,
        inTransaction: (body) => storage.inTransaction(body),
        dispose: () => storage.close(),
      };
    },
  }));
