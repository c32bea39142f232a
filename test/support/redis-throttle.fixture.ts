import { type RedisClient, redisThrottle } from "../../src/adapters/redis/index.js";

const [url = "", keyPrefix = "", task] = process.argv.slice(2);
const timeoutMs = task === "compete" ? 10_000 : 200;
const warnings: unknown[] = [];
const throttle = redisThrottle(task === "copy" ? await clientOfNoPackage() : url, {
  keyPrefix,
  timeoutMs,
  log: { warn: (...warning) => void warnings.push(warning) },
});
const now = () => performance.timeOrigin + performance.now();
/** Tells at the end for how many milliseconds the process waited from now on: one that is stopped does not wait. */
const tellWait = () => {
  let waitedMs = 0;
  setInterval(() => {
    waitedMs += 50;
  }, 50).unref();
  process.on("exit", () => console.log(waitedMs));
};

switch (task) {
  case "compete": {
    let isEnough = false;
    process.once("message", () => {
      isEnough = true;
    });
    while (!isEnough) {
      const asked = now();
      const [wait] = await throttle.acquire(["job"], Number(process.argv[5]));
      if (wait === 0) process.send?.({ asked, answered: now() });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await throttle.close();
    break;
  }
  case "ask":
    process.send?.({ waits: await throttle.acquire(["job"], 1_000) });
    tellWait();
    break;
  case "askAndClose":
    process.send?.({ waits: await throttle.acquire(["job"], 1_000) });
    tellWait();
    await throttle.close();
    break;
  case "copy":
    process.send?.({ waits: await throttle.acquire(["a", "b"], 1_000), warnings });
    break;
  case "missing":
    while (warnings.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    process.send?.({ warnings });
    process.send?.({ waits: await throttle.acquire(["a", "b"], 1_000), warnings });
}

/** As of iovalkey: a client that fits, where the package ioredis is not installed. */
async function clientOfNoPackage(): Promise<RedisClient> {
  const { Redis } = await import(new URL("../../node_modules/ioredis/built/index.js", import.meta.url).href);
  return new Redis(url, { lazyConnect: true });
}
