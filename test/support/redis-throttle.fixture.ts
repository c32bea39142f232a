import { redisThrottle } from "../../src/adapters/redis/index.js";

const [url = "", keyPrefix = "", task] = process.argv.slice(2);
const throttle = redisThrottle(url, { keyPrefix, log: { warn: () => {} } });

switch (task) {
  case "compete": {
    const acquiredAt: number[] = [];
    const end = performance.now() + Number(process.argv[5]);
    while (performance.now() < end) {
      const [wait] = await throttle.acquire(["job"], Number(process.argv[6]));
      if (wait === 0) acquiredAt.push(performance.timeOrigin + performance.now());
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await throttle.close();
    process.send?.({ acquiredAt });
    break;
  }
  case "ask":
    process.send?.({ waits: await throttle.acquire(["job"], 1_000) });
    break;
  case "askAndClose":
    process.send?.({ waits: await throttle.acquire(["job"], 1_000) });
    await throttle.close();
    break;
  default: {
    const error = await throttle.acquire(["job"], 1_000).then(
      () => null,
      (reason) => reason,
    );
    process.send?.({ code: error?.code, message: error?.message });
  }
}
