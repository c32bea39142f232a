import { useEffect, useState } from "react";
import { watchJob } from "./watch-job.js";

/** The newest state of a job; null until it is known. `api` must stay the same text from one rendering to the next. */
export function useJob(id, api = "/api/v1/jobs") {
  const url = `${api}/${encodeURIComponent(id)}`;
  const [newest, setNewest] = useState({ url, job: null });
  useEffect(() => watchJob(url, (job) => setNewest({ url, job })), [url]);
  return newest.url === url ? newest.job : null; // never another job's state, not even for one frame
}
