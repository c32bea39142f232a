import { freePort } from "./free-port.js";

const ports: number[] = [];
while (ports.length < Number(process.argv[2])) ports.push(await freePort());
process.on("message", () => {});
process.send?.(ports);
