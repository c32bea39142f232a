import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";

/** A server on a free port until the test has finished. */
export interface TestServer {
  readonly server: Server;
  readonly port: number;
  readonly url: string;
  /** A connection that speaks whatever a test writes on it. */
  connection(): Socket;
  /** Sends bytes as they are, and answers what came back until the server closed the connection. */
  raw(request: string): Promise<string>;
}

/** Serves with plain `node:http`. */
export async function serve(listener: RequestListener): Promise<TestServer> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const connection = () => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  const raw = (request: string) => {
    const socket = connection();
    socket.write(request.replaceAll("\n", "\r\n"));
    return text(socket);
  };
  return { server, port, url: `http://127.0.0.1:${port}`, connection, raw };
}
