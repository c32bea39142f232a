// Preloaded by tests (--import): the packages named in WITHOUT_PACKAGES resolve as if they were not installed.
import { registerHooks } from "node:module";

const missing = (process.env.WITHOUT_PACKAGES ?? "").split(",");

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (!missing.includes(specifier)) return nextResolve(specifier, context);
    const error = new Error(`Cannot find package '${specifier}'`);
    throw Object.assign(error, { code: "ERR_MODULE_NOT_FOUND" });
  },
});
