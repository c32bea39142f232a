/** What an entry exports, in alphabetical order. */
export interface Names {
  readonly values: readonly string[];
  readonly types: readonly string[];
}

/** A name that is added here is a promise; one that is taken away breaks somebody. */
export const published: Readonly<Record<string, Names>> = {
  ".": {
    values: ["WorkerProgressError", "createProgressReporter", "errorCodes", "isRetryable", "jobStatuses"],
    types: [
      "AmqpArgument",
      "DatabaseArgument",
      "ErrorCode",
      "Health",
      "JobEventPayload",
      "JobHandle",
      "JobId",
      "JobStatus",
      "JobView",
      "ProgressReporter",
      "ProgressResult",
      "ProgressSink",
      "PublisherAdapter",
      "RedisArgument",
      "ReporterOptions",
      "StorageAdapter",
      "ThrottleAdapter",
    ],
  },
  "./postgres": {
    values: ["defaultJobTable", "isPostgresSource", "legacyJobTable", "postgresStorage"],
    types: [
      "ColumnOrMetricsKey",
      "JobColumns",
      "JobTable",
      "KyselyInstance",
      "OptionalColumn",
      "PGliteInstance",
      "PgPool",
      "PostgresSource",
      "PostgresStorageOptions",
    ],
  },
  "./redis": {
    values: ["isRedisSource", "redisDedupe", "redisThrottle"],
    types: ["RedisClient", "RedisClusterClient", "RedisOptions", "RedisSource"],
  },
  "./rabbitmq": {
    values: ["isRabbitmqSource", "rabbitmqPublisher"],
    types: [
      "AmqpChannelModel",
      "AmqpConfirmChannel",
      "AmqpConnectionFactory",
      "EventFormat",
      "RabbitmqPublisher",
      "RabbitmqPublisherOptions",
      "RabbitmqPublisherState",
      "RabbitmqSource",
    ],
  },
  "./memory": {
    values: ["inProcessPublisher", "memoryDedupe", "memoryThrottle"],
    types: [
      "EventListener",
      "InProcessPublisher",
      "InProcessPublisherOptions",
      "MemoryDedupeOptions",
      "MemoryThrottleOptions",
      "ReadEventsOptions",
    ],
  },
  "./http": {
    values: ["createJobHandler", "nodeRequest", "toNodeHandler"],
    types: [
      "Authorize",
      "CorsOptions",
      "JobAction",
      "JobHandler",
      "JobHandlerOptions",
      "JobSource",
      "NodeHandler",
      "NodeHandlerOptions",
      "ProblemCode",
      "RateLimitOptions",
      "RateLimitRedis",
    ],
  },
  "./conformance": {
    values: ["dedupeConformance", "publisherConformance", "storageConformance", "throttleConformance"],
    types: [
      "DedupeConformanceOptions",
      "DedupeSupports",
      "DedupeUnderTest",
      "PublisherConformanceOptions",
      "PublisherUnderTest",
      "ReceivedEvent",
      "RegisterTest",
      "StorageConformanceOptions",
      "StorageSupports",
      "StorageUnderTest",
      "ThrottleConformanceOptions",
      "ThrottleSupports",
      "ThrottleUnderTest",
    ],
  },
};
