import { randomBytes } from "node:crypto";
import type { LiveAdapter, LiveListener, LiveMessage, Unsubscribe } from "../../ports/live.js";
import type { Log } from "../../ports/log.js";
import type { ListeningClients } from "./listening-client.js";
import type { ListeningWaits } from "./listening-waits.js";
import { LiveSubscriptions } from "./live-subscriptions.js";
import { NotificationListener } from "./notification-listener.js";
import { packMessages, unpackMessages } from "./notification-payload.js";
import { NotificationSender } from "./notification-sender.js";
import { type Notification, notify } from "./notify.js";
import type { TableAddress } from "./read-catalog.js";
import type { Run } from "./run.js";
import { type TableChannels, type Topic, tableChannels } from "./table-channels.js";

/** What live updates by notifications are made of. */
export interface PostgresLiveParts {
  /** Sends notifications. */
  readonly run: Run;
  /** How to listen; null where only sending is possible. */
  readonly clients: ListeningClients | null;
  readonly table: TableAddress;
  /** Delivers within this process; closed by `close()`. */
  readonly inProcess: LiveAdapter;
  readonly log: Log;
  readonly waits: ListeningWaits;
}

const topics: readonly Topic[] = ["news", "cancellations"];

/**
 * Live updates by LISTEN/NOTIFY. What is stored and what shall be cancelled travels between processes; progress that is not
 * stored stays in its own, as does the latest of a job that nobody here watches: every notification costs the server and
 * every process that listens. Nobody waits for it: what publishes goes on at once.
 */
export function postgresLive(parts: PostgresLiveParts): LiveAdapter {
  const { run, clients, table, inProcess, log, waits } = parts;
  const self = randomBytes(8).toString("hex");
  const subscriptions = new LiveSubscriptions(log);
  let named: Promise<TableChannels> | null = null;
  const channels = () => {
    named ??= tableChannels(run, table).catch((error: unknown) => {
      named = null;
      throw error;
    });
    return named;
  };
  const send = async (messages: readonly LiveMessage[]) => {
    const names = await channels();
    const to = (topic: Topic): readonly Notification[] =>
      packMessages(
        self,
        messages.filter((message) => topicOf(message) === topic),
      ).map((payload) => ({ channel: names[topic], payload }));
    await notify(run, topics.flatMap(to));
  };
  const receive = (payload: string) => {
    const wanted = ({ kind, jobId }: LiveMessage) => kind === "cancellation" || subscriptions.isOnJob(jobId);
    void inProcess.publish(unpackMessages(self, payload).filter(wanted));
  };
  const sender = new NotificationSender(send, log);
  const listener =
    clients === null
      ? null
      : new NotificationListener({
          clients,
          channels,
          ownChannel: `worker_progress_${self}`,
          send: (notification) => notify(run, [notification]),
          wanted: () => topics.filter((topic) => subscriptions.wants(topic)),
          onPayload: receive,
          onStands: (topic) => subscriptions.stands(topic),
          onLost: () => subscriptions.lost(),
          log,
          waits,
        });
  const hears = (topic: Topic) => listener?.hears(topic) ?? false;
  const join = async (topic: Topic, jobId: string | null, listening: LiveListener, leaveHere: Unsubscribe) => {
    const subscription = subscriptions.add(topic, jobId, listening);
    await listener?.listen(topic);
    subscription.missed = !hears(topic);
    return () => {
      leaveHere();
      subscriptions.remove(subscription);
    };
  };
  return {
    get reach() {
      return hears("news") ? "shared" : "process";
    },
    async publish(messages) {
      sender.offer(messages.filter(({ kind }) => kind !== "progress"));
      await inProcess.publish(messages);
    },
    subscribe: async (jobId, listening) => join("news", jobId, listening, await inProcess.subscribe(jobId, listening)),
    subscribeCancellations: async (listening) =>
      join("cancellations", null, listening, await inProcess.subscribeCancellations(listening)),
    latest: (jobIds) => inProcess.latest(jobIds),
    async close() {
      await Promise.all([sender.close(), listener?.close()]);
      await inProcess.close();
    },
  };
}

function topicOf({ kind }: LiveMessage): Topic {
  return kind === "cancellation" ? "cancellations" : "news";
}
