import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import pg from "pg";
import { freePort } from "../support/free-port.js";
import { startPostgres } from "../support/private-postgres.js";
import { startRabbitmq } from "../support/private-rabbitmq.js";
import { startRedis } from "../support/private-redis.js";
import { type Authority, certificateAuthority } from "./certificates.js";

/** One server of each kind that speaks TLS, with certificates of one authority for "localhost". */
export interface SecureServers extends AsyncDisposable {
  readonly authority: Authority;
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly rabbitmqUrl: string;
  /** PostgreSQL goes by another name from now on: pg takes an address for "localhost". */
  renamePostgres(host: string): Promise<void>;
}

/** Starts the three, side by side. */
export async function secureServers(): Promise<SecureServers> {
  const authority = certificateAuthority();
  const postgresFiles = authority.issue("postgres", "localhost");
  const { certFile, keyFile } = authority.issue("others", "localhost");
  const hbaFile = join(dirname(authority.caFile), "pg_hba.conf");
  writeFileSync(hbaFile, "host all postgres 127.0.0.1/32 trust\nhostssl all secure 127.0.0.1/32 scram-sha-256\n");
  const [redisPort, rabbitmqPort] = [await freePort(), await freePort()];
  const [postgres, redis, rabbitmq] = await Promise.all([
    startPostgres([
      "ssl=on",
      `ssl_cert_file=${postgresFiles.certFile}`,
      `ssl_key_file=${postgresFiles.keyFile}`,
      `hba_file=${hbaFile}`,
      "password_encryption=scram-sha-256",
    ]),
    startRedis([
      ...["--tls-port", String(redisPort), "--tls-auth-clients", "no"],
      ...["--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", authority.caFile],
    ]),
    startRabbitmq(
      [
        `listeners.ssl.default = 127.0.0.1:${rabbitmqPort}`,
        `ssl_options.cacertfile = ${authority.caFile}`,
        `ssl_options.certfile = ${certFile}`,
        `ssl_options.keyfile = ${keyFile}`,
        "ssl_options.verify = verify_none",
        "ssl_options.fail_if_no_peer_cert = false",
        "",
      ].join("\n"),
    ),
  ]);
  await asAdmin(postgres.url, "create role secure login password 'secret'", "create database jobs owner secure");
  return {
    authority,
    databaseUrl: `postgres://secure:secret@localhost:${postgres.port}/jobs`,
    redisUrl: `rediss://localhost:${redisPort}`,
    rabbitmqUrl: `amqps://guest:guest@localhost:${rabbitmqPort}`,
    async renamePostgres(host) {
      authority.issue("postgres", host);
      await asAdmin(postgres.url, "select pg_reload_conf()");
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([postgres.stop(), redis.stop(), rabbitmq.stop()]);
      authority[Symbol.dispose]();
    },
  };
}

async function asAdmin(url: string, ...statements: readonly string[]): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
