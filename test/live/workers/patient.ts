/** A starved machine must not look like a Redis that is away: live updates would be dropped, and a job read as it is stored. */
export const patient = { redis: { timeoutMs: 5_000 } };
