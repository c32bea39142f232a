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
  "./rabbitmq": { values: [], types: [] },
  "./memory": { values: [], types: [] },
  "./conformance": {
    values: ["dedupeConformance", "storageConformance", "throttleConformance"],
    types: [
      "DedupeConformanceOptions",
      "DedupeSupports",
      "DedupeUnderTest",
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
