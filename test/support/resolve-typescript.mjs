// Node strips types but resolves specifiers literally: this lets "./file.js" mean "./file.ts" outside vitest.
import { registerHooks } from "node:module";

registerHooks({
  resolve(specifier, context, nextResolve) {
    const relative = specifier.startsWith(".") && specifier.endsWith(".js");
    if (!relative || !context.parentURL?.endsWith(".ts")) return nextResolve(specifier, context);
    return nextResolve(`${specifier.slice(0, -3)}.ts`, context);
  },
});
