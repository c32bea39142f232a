import { defineConfig } from "tsup";

export default defineConfig({
  entry: {
    index: "src/index.ts",
    "adapters/postgres/index": "src/adapters/postgres/index.ts",
    "adapters/redis/index": "src/adapters/redis/index.ts",
    "adapters/rabbitmq/index": "src/adapters/rabbitmq/index.ts",
    "adapters/memory/index": "src/adapters/memory/index.ts",
    "http/index": "src/http/index.ts",
    "conformance/index": "src/conformance/index.ts",
    "consumer/index": "src/consumer/index.ts",
    "cli/main": "src/cli/main.ts",
  },
  format: "esm",
  target: "node22",
  platform: "node",
  splitting: true,
  clean: true,
  dts: false,
  skipNodeModulesBundle: true,
  removeNodeProtocol: false,
});
