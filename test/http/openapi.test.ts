import { expect, test } from "vitest";
import { openApiDocument } from "../../src/http/openapi-document.js";
import { ask, bodyOf } from "./ask.js";
import { checkedHandler } from "./checked-handler.js";
import { FakeJobs } from "./fake-jobs.js";

// `npm run test:only -- test/http/openapi.test.ts -u` writes the file.
test("docs/schema/openapi.json is what the handler serves", async () => {
  const served = await bodyOf(await ask(checkedHandler(new FakeJobs()), "openapi.json"));
  expect(served).toEqual(JSON.parse(JSON.stringify(openApiDocument("/api/v1/jobs"))));
  await expect(`${JSON.stringify(served, null, 2)}\n`).toMatchFileSnapshot("../../docs/schema/openapi.json");
});

test("the document can be read by anybody, and names the path that it is served under", async () => {
  const handler = checkedHandler(new FakeJobs(), { authorize: () => false, basePath: "/v2/renders" });
  const served = await bodyOf(await handler(new Request("http://api/v2/renders/openapi.json")));
  expect(served.openapi).toBe("3.1.1");
  expect(Object.keys(served.paths as object)).toContain("/v2/renders/{id}/events");
});

test("every reference in the document leads somewhere", () => {
  const { components } = openApiDocument("") as { components: { schemas: Record<string, unknown> } };
  const references = [...JSON.stringify(openApiDocument("")).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
  expect(references.length).toBeGreaterThan(5);
  expect(references.map(([, name]) => name).filter((name) => !Object.hasOwn(components.schemas, String(name)))).toEqual(
    [],
  );
});
