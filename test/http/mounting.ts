import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { createProgressReporter } from "worker-progress";
import { createJobHandler, type JobHandler, nodeRequest, toNodeHandler } from "worker-progress/http";

/*
 * The snippets of docs/http.md, compiled. Express and Fastify are no dependencies: what the snippets call of them is
 * declared here, as their declarations have it.
 */

interface ExpressApp {
  use(
    path: string,
    handler: (request: IncomingMessage, response: ServerResponse, next: () => void) => unknown,
  ): unknown;
}

interface FastifyScope {
  removeAllContentTypeParsers(): void;
  addContentTypeParser(
    type: string,
    parser: (request: unknown, payload: unknown, done: (error: Error | null, body?: unknown) => void) => void,
  ): unknown;
  all(
    path: string,
    handler: (
      request: { readonly raw: IncomingMessage },
      reply: { readonly raw: ServerResponse; hijack(): unknown },
    ) => unknown,
  ): unknown;
}

interface FastifyApp {
  register(plugin: (scope: FastifyScope) => Promise<void>): unknown;
}

type Clients = Parameters<typeof createProgressReporter>;

export function onNode(
  pool: Clients[0],
  redis: Clients[1],
  userOf: (request: Request) => Promise<string>,
  owns: (user: string, jobId: string) => boolean,
): void {
  const reporter = createProgressReporter(pool, redis);
  const jobs = createJobHandler(reporter, {
    authorize: async (request, jobId) => owns(await userOf(request), jobId),
  });
  createServer(toNodeHandler(jobs)).listen(3000);
}

export function onExpress(app: ExpressApp, jobs: JobHandler): void {
  app.use("/api/v1/jobs", toNodeHandler(jobs));
}

export function onFastify(app: FastifyApp, jobs: JobHandler): void {
  app.register(async (scope) => {
    const handle = toNodeHandler(jobs);
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _body, done) => done(null));
    scope.all("/api/v1/jobs/*", (request, reply) => {
      reply.hijack();
      return handle(request.raw, reply.raw);
    });
  });
}

export function withRateLimit(
  reporter: ReturnType<typeof createProgressReporter>,
  authorize: () => boolean,
  redis: import("ioredis").Redis,
): JobHandler {
  return createJobHandler(reporter, {
    authorize,
    rateLimit: {
      points: 120,
      durationSeconds: 60,
      key: (request) => nodeRequest(request)?.socket.remoteAddress ?? "unknown",
      redis,
    },
  });
}
