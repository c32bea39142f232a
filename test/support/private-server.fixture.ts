import { Redis } from "ioredis";
import { startRedis } from "./private-redis.js";

const server = await startRedis();
const client = new Redis(server.url);
const [, folder] = (await client.config("GET", "dir")) as string[];
process.on("message", () => {});
process.send?.({ url: server.url, folder });
