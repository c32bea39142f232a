import { type InProcessPublisher, inProcessPublisher } from "../../adapters/memory/index.js";
import type { Post } from "./post.js";

/** A worker and a consumer in this process: tasks are handed over, events come from the in-process publisher. */
export function inProcessPost(): { readonly publisher: InProcessPublisher; readonly post: Post } {
  const publisher = inProcessPublisher();
  let handleTask: ((jobId: string) => Promise<void>) | null = null;
  const post: Post = {
    lost: new Promise<never>(() => {}),
    async send(jobId) {
      // A handler tells of its own failures; a task without a queue has nowhere to go back to.
      void handleTask?.(jobId).catch(() => {});
    },
    async takeTasks(handle) {
      handleTask = handle;
    },
    async takeEvents(listener) {
      publisher.on(listener);
    },
    async close() {},
  };
  return { publisher, post };
}
