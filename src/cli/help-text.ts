import type { CommandName } from "./command.js";

const shared = `  --no-color                 no colours (also: NO_COLOR)
  --debug                    failures show their stack
  --help                     this text
`;

const exchanges = `  --events-exchange NAME     topic exchange of the events (default: events.jobs)
  --outbound-exchange NAME   fanout exchange for consumers (default: erp.outbound)
`;

const general = `worker-progress: throttled, monotonic job progress with exactly one event per transition

Usage
  worker-progress demo                  runs a job and shows what is called, written and received
  worker-progress migrate [--print]     makes the library's tables, or prints the SQL
  worker-progress init-exchanges        declares the exchanges on RabbitMQ

  worker-progress COMMAND --help        more of a command
  worker-progress --version

Environment
  DATABASE_URL, REDIS_URL, RABBITMQ_URL name the servers where no flag does

Exit codes
  0 done, 1 it failed, 2 the command line is wrong, 130 interrupted
`;

const ofCommand: Readonly<Record<CommandName, string>> = {
  demo: `worker-progress demo: runs a job and shows what is called, written and received

A worker reports progress hundreds of times a second. The database is written at most once per
window, progress never goes back, and each transition arrives as one event. Whatever has no URL
runs in this process: PGlite, windows in memory, an in-process publisher.

On servers it migrates first, takes its tasks off a queue of its own on RabbitMQ, and receives the
events on a second connection, as an ERP would. It deletes its queues; the finished job stays.

Options
  --database-url URL         PostgreSQL (also: DATABASE_URL)
  --redis-url URL            Redis (also: REDIS_URL)
  --amqp-url URL             RabbitMQ (also: RABBITMQ_URL)
  --schema NAME              schema of the tables (default: the search path)
${exchanges}  --jobs N                   jobs at the same time, 1 to 1000 (default: 1)
  --seconds S                how long a job takes, 0.1 to 3600 (default: 10)
${shared}`,
  migrate: `worker-progress migrate: makes the library's tables

Creates what is missing and touches nothing else. Safe to run again, and by several processes at once.

Options
  --print                    prints the SQL without connecting
  --database-url URL         PostgreSQL (also: DATABASE_URL)
  --schema NAME              schema of the tables (default: the search path)
  --outbox-table NAME        table of the events (default: worker_progress_outbox)
  --no-jobs                  without worker_progress_jobs: for a job table of your own
${shared}`,
  "init-exchanges": `worker-progress init-exchanges: declares the exchanges on RabbitMQ

Declares a topic exchange for the events, a fanout exchange for consumers, and binds the second to
the first. Safe to run again. An exchange that exists with another type is left as it is.

Options
  --amqp-url URL             RabbitMQ (also: RABBITMQ_URL)
${exchanges}${shared}`,
};

/** The help of a command, or of the program. */
export function helpText(about: CommandName | null): string {
  return about === null ? general : ofCommand[about];
}
