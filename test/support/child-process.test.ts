import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { startWorker } from "./child-process.js";

const echo = new URL("./child-process.fixture.ts", import.meta.url);

test("a TypeScript worker runs in a process of its own, answers messages and ends", async () => {
  const worker = await startWorker<{ readonly heard?: string; readonly ready?: number }>(echo, { args: ["seven"] });
  expect((await worker.message((message) => message.ready !== undefined)).ready).toBe(worker.pid);
  worker.send("hello");
  expect(await worker.message((message) => message.heard !== undefined)).toEqual({ heard: "hello seven" });
  worker.send("end");
  expect(await worker.exit).toEqual({ code: 0, signal: null, stdout: "bye\n", stderr: "" });
});

test("a killed worker says so, and a message it will never send is rejected", async () => {
  const worker = await startWorker<{ readonly ready?: number }>(echo);
  await worker.message((message) => message.ready !== undefined);
  const never = worker.message(() => false);
  worker.kill("SIGKILL");
  expect(await worker.exit).toMatchObject({ code: null, signal: "SIGKILL" });
  await expect(never).rejects.toThrow("Worker ended (SIGKILL) first");
});

test("a message to a worker that has just died is lost, and harms nobody", async () => {
  const worker = await startWorker<{ readonly ready?: number }>(echo);
  await worker.message((message) => message.ready !== undefined);
  worker.kill("SIGKILL");
  worker.send("to one that may not know yet");
  await worker.exit;
  worker.send("to one that is known to be dead");
  await nextTurn();
});
