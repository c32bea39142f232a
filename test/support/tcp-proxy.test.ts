import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "./eventually.js";
import { type TcpProxy, tcpProxy } from "./tcp-proxy.js";

let server: Server;
let received: string;
let proxy: TcpProxy;

beforeEach(async () => {
  received = "";
  server = createServer((socket) => {
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
  await eventually(() => expect(socket.bytesWritten).toBe(4));
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
