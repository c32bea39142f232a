// Lets a worker's "worker-progress" be the version that the test built, not the one that the worker's file belongs to.
import { registerHooks } from "node:module";

registerHooks({
  resolve(specifier, context, nextResolve) {
    const { WORKER_PROGRESS_VERSION: version } = process.env;
    return nextResolve(specifier === "worker-progress" && version ? version : specifier, context);
  },
});
