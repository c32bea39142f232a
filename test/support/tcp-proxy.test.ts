import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "./eventually.js";
import { type TcpProxy, tcpProxy } from "./tcp-proxy.js";

let server: Server;
let received: string;
let serverSockets: Set<Socket>;
let proxy: TcpProxy;

beforeEach(async () => {
  received = "";
  serverSockets = new Set();
  server = createServer((socket) => {
    serverSockets.add(socket);
    socket.on("close", () => serverSockets.delete(socket));
    socket.on("error", () => {});
    socket.on("data", (data) => {
      received += data;
      socket.write(`echo ${data}`);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await tcpProxy(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

afterEach(async () => {
  await proxy.close();
  server.close();
});

interface Client {
  readonly socket: Socket;
  received(): string;
  error(): string | undefined;
}

async function client(): Promise<Client> {
  const socket = connect(proxy.port, "127.0.0.1");
  let text = "";
  let code: string | undefined;
  socket.on("data", (data) => {
    text += data;
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    code = error.code;
  });
  await once(socket, "connect");
  return { socket, received: () => text, error: () => code };
}

test("a healthy proxy carries both directions, and the end of a connection", async () => {
  const { socket, received: replies } = await client();
  socket.end("hello");
  await once(socket, "close");
  expect(replies()).toBe("echo hello");
  await eventually(() => expect(proxy.connections).toBe(0));
});

test("a cut resets open connections and takes new ones", async () => {
  const first = await client();
  first.socket.write("a");
  await eventually(() => expect(first.received()).toBe("echo a"));
  proxy.cut();
  await eventually(() => expect(first.error()).toBe("ECONNRESET"));
  const second = await client();
  second.socket.end("b");
  await eventually(() => expect(second.received()).toBe("echo b"));
});

test("a refusing proxy refuses, and takes connections again on the same port", async () => {
  const { port } = proxy;
  await proxy.refuse();
  await expect(client()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await proxy.accept();
  expect(proxy.port).toBe(port);
  const { socket, received: replies } = await client();
  socket.end("back");
  await eventually(() => expect(replies()).toBe("echo back"));
});

test("a blackhole keeps connections open and delivers what it held when it ends", async () => {
  proxy.blackhole();
  const { socket, received: replies } = await client();
  socket.write("held");
  await eventually(() => expect(proxy.held).toBe(4));
  expect([received, replies(), socket.destroyed]).toEqual(["", "", false]);
  await proxy.accept();
  await eventually(() => expect(replies()).toBe("echo held"));
  socket.destroy();
});

test("lost replies: the request arrives, its answer does not", async () => {
  const { socket, received: replies } = await client();
  proxy.dropReplies();
  socket.write("once");
  await eventually(() => expect(received).toBe("once"));
  await proxy.accept();
  socket.end("more");
  await once(socket, "close");
  expect(replies()).toBe("echo more");
});

test("a delay holds a message back for at least its time, each way", async () => {
  const { socket, received: replies } = await client();
  proxy.delay(40);
  const start = performance.now();
  socket.end("slow");
  await eventually(() => expect(replies()).toBe("echo slow"));
  expect(performance.now() - start).toBeGreaterThanOrEqual(79);
});

test("what was under way when the network became fast again does not come after what was sent later", async () => {
  const { socket, received: replies } = await client();
  proxy.delay(10_000);
  socket.write("first, ");
  await eventually(() => expect(socket.bytesWritten).toBe(7));
  await proxy.accept();
  socket.end("then");
  await eventually(() => expect(replies().replaceAll("echo ", "")).toBe("first, then"));
  expect(received).toBe("first, then");
});

test("a throttled connection passes bytes at its rate, each way, and at once when the network is healthy", async () => {
  const { socket, received: replies } = await client();
  const bytesPerSecond = 20_000;
  proxy.throttle(bytesPerSecond);
  const text = "x".repeat(4_000);
  const start = performance.now();
  socket.write(text);
  await eventually(() => expect(received.length).toBe(text.length));
  const elapsedMs = performance.now() - start;
  expect(elapsedMs).toBeGreaterThanOrEqual((text.length / bytesPerSecond) * 1_000 - 1);
  socket.write("x".repeat(400_000));
  await eventually(() => expect(received.length).toBeGreaterThan(text.length));
  expect(received.length).toBeLessThan(404_000);
  await proxy.accept();
  await eventually(() => expect(received.length).toBe(404_000));
  await eventually(() => expect(replies().replaceAll("echo ", "").length).toBe(404_000));
  socket.destroy();
});

test("half open: a server does not learn that its client is gone, until the network is healthy", async () => {
  const { socket } = await client();
  socket.write("hello");
  await eventually(() => expect(received).toBe("hello"));
  proxy.halfOpen();
  socket.resetAndDestroy();
  await once(socket, "close");
  await eventually(() => expect(proxy.connections).toBe(0));
  expect(serverSockets.size).toBe(1);
  await proxy.accept();
  await eventually(() => expect(serverSockets.size).toBe(0));
});

test("half open: a client does not learn that its server is gone, and what it sends is lost", async () => {
  const { socket, error } = await client();
  socket.write("hello");
  await eventually(() => expect(received).toBe("hello"));
  proxy.halfOpen();
  for (const each of serverSockets) each.resetAndDestroy();
  await eventually(() => expect(serverSockets.size).toBe(0));
  socket.write("into the void");
  await eventually(() => expect(socket.bytesWritten).toBe(18));
  expect([received, error(), socket.destroyed]).toEqual(["hello", undefined, false]);
  await proxy.accept();
  await eventually(() => expect(error()).toBe("ECONNRESET"));
});
