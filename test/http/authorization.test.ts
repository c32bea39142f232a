import { expect, onTestFinished, test, vi } from "vitest";
import type { Authorize } from "../../src/http/authorization.js";
import { createJobHandler } from "../../src/http/job-handler.js";
import { ask } from "./ask.js";
import { checkedHandler } from "./checked-handler.js";
import { FakeJobs, view } from "./fake-jobs.js";

const paths = [
  ["123", "GET", "read"],
  ["123/events", "GET", "watch"],
  ["123/cancel", "POST", "cancel"],
] as const;

test("leaving authorize out is an error at once", () => {
  expect(() => createJobHandler(new FakeJobs(), {} as never)).toThrow(
    new TypeError("Cannot create a job handler: option authorize: must be a function"),
  );
  expect(() => createJobHandler(new FakeJobs(), undefined as never)).toThrow(TypeError);
});

test("unknown and wrong options are one error that names them all", () => {
  const wrong = { authorize: () => true, bogus: 1, basePath: "jobs", heartbeatMs: 0 } as never;
  expect(() => createJobHandler(new FakeJobs(), wrong)).toThrow(/basePath.*heartbeatMs.*bogus/);
});

const quota = { points: 1, durationSeconds: 1, key: () => "a" };
test.each([
  ["authorize", { authorize: true }],
  ["basePath", { basePath: "/jobs?all" }],
  ["heartbeatMs", { heartbeatMs: 2 ** 31 }],
  ["authorizeTimeoutMs", { authorizeTimeoutMs: 0 }],
  ["log", { log: {} }],
  ["rateLimit", { rateLimit: { ...quota, bogus: 1 } }],
  ["rateLimit.points", { rateLimit: { ...quota, points: 0 } }],
  ["rateLimit.durationSeconds", { rateLimit: { ...quota, durationSeconds: 2_147_484 } }],
  ["rateLimit.key", { rateLimit: { ...quota, key: "address" } }],
  ["rateLimit.redis", { rateLimit: { ...quota, redis: {} } }],
  ["rateLimit.keyPrefix", { rateLimit: { ...quota, keyPrefix: "" } }],
  ["rateLimit.timeoutMs", { rateLimit: { ...quota, timeoutMs: 0 } }],
  ["cors", { cors: { origins: "*", bogus: 1 } }],
  ["cors.origins", { cors: {} }],
  ["cors.maxAgeSeconds", { cors: { origins: "*", maxAgeSeconds: -1 } }],
])("a wrong option %s is an error that names it", (name, wrong) => {
  const options = { authorize: () => true, ...wrong } as never;
  expect(() => createJobHandler(new FakeJobs(), options)).toThrow(`Cannot create a job handler: option ${name}: `);
});

test("authorize has five seconds, and the console hears that it failed", async () => {
  vi.useFakeTimers();
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  onTestFinished(() => {
    vi.useRealTimers();
    warn.mockRestore();
  });
  const source = new FakeJobs();
  source.set(view());
  expect((await ask(createJobHandler(source, { authorize: async () => true }), "123")).status).toBe(200);
  expect(vi.getTimerCount()).toBe(0);
  const slow = (ms: number) => () => new Promise<boolean>((resolve) => setTimeout(() => resolve(true), ms));
  const inTime = ask(createJobHandler(source, { authorize: slow(4_999) }), "123");
  const late = ask(createJobHandler(source, { authorize: slow(5_001) }), "123");
  await vi.advanceTimersByTimeAsync(5_001);
  expect([(await inTime).status, (await late).status]).toEqual([200, 404]);
  expect(warn.mock.calls).toEqual([
    ['Denied to read job "123": authorize failed', { reason: "No answer within 5000 ms" }],
  ]);
});

test("authorize hears the request, the decoded id and the action", async () => {
  const source = new FakeJobs();
  source.set(view({ id: "a/b", status: "running" }));
  const heard: unknown[] = [];
  const handler = checkedHandler(source, {
    authorize: (request, jobId, action) => heard.push([request.headers.get("x-api-key"), jobId, action]) > 0,
  });
  for (const [path, method] of paths) {
    const response = await ask(handler, path.replace("123", "a%2Fb"), { method, headers: { "x-api-key": "k" } });
    await response.body?.cancel();
  }
  expect(heard).toEqual([
    ["k", "a/b", "read"],
    ["k", "a/b", "watch"],
    ["k", "a/b", "cancel"],
  ]);
});

const denials: Readonly<Record<string, Authorize>> = {
  "says no": () => false,
  "says no later": async () => false,
  throws: () => {
    throw new Error("secret of the account store");
  },
  rejects: () => Promise.reject(new Error("secret of the account store")),
  "answers no boolean": () => "yes" as never,
  "answers an object": () => ({}) as never,
  "answers nothing": async () => undefined as never,
  hangs: () => new Promise(() => {}),
};

test.each(Object.entries(denials))("a job is as good as missing when authorize %s", async (_, authorize) => {
  const source = new FakeJobs();
  source.set(view());
  const warnings: string[] = [];
  const log = { warn: (message: string) => void warnings.push(message) };
  const denying = checkedHandler(source, { authorize, authorizeTimeoutMs: 20, log });
  const allowing = checkedHandler(new FakeJobs());
  for (const [path, method, action] of paths) {
    const denied = await ask(denying, path, { method });
    const missing = await ask(allowing, path, { method });
    expect([denied.status, [...denied.headers], await denied.text()]).toEqual([
      404,
      [...missing.headers],
      await missing.text(),
    ]);
    if (/throws|rejects|hangs/.test(_)) expect(warnings.at(-1)).toBe(`Denied to ${action} job "123": authorize failed`);
  }
  expect([source.asked, source.cancellations, source.watching]).toEqual([[], [], 0]);
  expect(warnings).toHaveLength(/throws|rejects|hangs/.test(_) ? 3 : 0);
});

test("nor do quotas and other origins tell a denied job from a missing one", async () => {
  vi.useFakeTimers({ toFake: ["Date"] }); // the seconds that are left of a quota are in the answers
  onTestFinished(() => void vi.useRealTimers());
  const source = new FakeJobs();
  source.set(view());
  const options = {
    rateLimit: { points: 100, durationSeconds: 60, key: (request: Request) => request.url },
    cors: { origins: ["https://app.example"] },
  };
  const denying = checkedHandler(source, { ...options, authorize: () => false });
  const allowing = checkedHandler(new FakeJobs(), options);
  const headers = {
    origin: "https://app.example",
    "if-none-match": "*",
    "last-event-id": "1.50.running.aaaaaaaaaaaaaaaa",
  };
  for (const [path, method] of [...paths, ["123", "HEAD"]] as const) {
    const [denied, missing] = [
      await ask(denying, path, { method, headers }),
      await ask(allowing, path, { method, headers }),
    ];
    expect([denied.status, [...denied.headers], await denied.text()]).toEqual([
      404,
      [...missing.headers],
      await missing.text(),
    ]);
  }
});

test("what an id does to a terminal or a file of lines does not reach the log", async () => {
  const warnings: string[] = [];
  const log = { warn: (message: string) => void warnings.push(message) };
  const handler = checkedHandler(new FakeJobs(), { authorize: () => JSON.parse("{"), log });
  await ask(handler, "1%0aAllowed%1b%5b2J");
  expect(warnings).toEqual(['Denied to read job "1\\nAllowed\\u001b[2J": authorize failed']);
});

test("authorize may read the body of a clone", async () => {
  const source = new FakeJobs();
  source.set(view());
  const authorize = async (request: Request) => (await request.clone().text()) === '{"reason":"signed"}';
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: '{"reason":"signed"}' };
  expect((await ask(checkedHandler(source, { authorize }), "123/cancel", init)).status).toBe(202);
  expect(source.cancellations).toEqual([{ jobId: "123", reason: "signed" }]);
});

test("a denied and a malformed id are told the same", async () => {
  const handler = checkedHandler(new FakeJobs(), { authorize: () => false });
  expect(await (await ask(handler, "1")).text()).toBe(await (await ask(handler, "%00")).text());
});

test("a denied cancellation is told nothing about its body", async () => {
  const handler = checkedHandler(new FakeJobs(), { authorize: () => false });
  expect((await ask(handler, "1/cancel", { method: "POST", body: "not json" })).status).toBe(404);
});
