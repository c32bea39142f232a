export type { Authorize, JobAction } from "./authorization.js";
export type { CorsOptions } from "./cors.js";
export type { JobHandlerOptions } from "./handler-options.js";
export { createJobHandler, type JobHandler } from "./job-handler.js";
export type { JobSource } from "./job-source.js";
export { type NodeHandler, type NodeHandlerOptions, toNodeHandler } from "./node-handler.js";
export { nodeRequest } from "./node-request.js";
export type { ProblemCode } from "./problem.js";
export type { RateLimitOptions, RateLimitRedis } from "./rate-limit.js";
