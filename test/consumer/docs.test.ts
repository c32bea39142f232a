import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

test("docs/events.md shows the consumer that is compiled here", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/events.md"), "utf8");
  const snippet = readFileSync(join(import.meta.dirname, "erp-consumer.ts"), "utf8");
  expect(page).toContain(`\`\`\`ts\n${snippet}\`\`\`\n`);
});
