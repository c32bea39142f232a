import { redisThrottle } from "../../src/adapters/redis/index.js";

const [url = "", keyPrefix = "", task] = process.argv.slice(2);
const timeoutMs = task === "compete" ? 10_000 : 200;
const warnings: unknown[] = [];
const throttle = redisThrottle(url, {
  keyPrefix,
  timeoutMs,
  log: { warn: (...warning) => void warnings.push(warning) },
});
const now = () => performance.timeOrigin + performance.now();

switch (task) {
  case "compete": {
    const acquired: { readonly asked: number; readonly answered: number }[] = [];
    const end = performance.now() + Number(process.argv[5]);
    while (performance.now() < end) {
      const asked = now();
      const [wait] = await throttle.acquire(["job"], Number(process.argv[6]));
      if (wait === 0) acquired.push({ asked, answered: now() });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await throttle.close();
    process.send?.({ acquired });
    break;
  }
  case "ask":
    process.send?.({ waits: await throttle.acquire(["job"], 1_000) });
    break;
  case "askAndClose":
    process.send?.({ waits: await throttle.acquire(["job"], 1_000) });
    await throttle.close();
    break;
  case "missing":
    while (warnings.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    process.send?.({ warnings });
    process.send?.({ waits: await throttle.acquire(["a", "b"], 1_000), warnings });
}
