import { useEffect, useState } from "react";
import { watchJob } from "./watch-job.js";

/** The newest state of a job; null until it is known, or while there is no `id`. `api` stays the same text while a page shows it. */
export function useJob(id, api = "/api/v1/jobs") {
  const url = id == null ? null : `${api}/${encodeURIComponent(id)}`;
  const [newest, setNewest] = useState({ url, job: null });
  useEffect(() => (url === null ? undefined : watchJob(url, (job) => setNewest({ url, job }))), [url]);
  return newest.url === url ? newest.job : null; // never another job's state, not even for one frame
}
