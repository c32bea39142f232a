/** Calls `show` with each state of the job at `url`, as in "/api/v1/jobs/42", until it is over. Answers how to stop. */
export function watchJob(url, show) {
  let source, reopening, newest;
  const isOlder = (job) => job.attempts === newest?.attempts && job.progress.percent < newest.progress.percent;
  const open = () => {
    source = new EventSource(`${url}/events`); // reconnects by itself, and goes on where it was
    source.onmessage = ({ data }) => {
      const job = JSON.parse(data);
      if (isOlder(job)) return;
      newest = job;
      show(job);
      if (["completed", "failed", "cancelled", "timeout"].includes(job.status)) source.close();
    };
    source.onerror = () => {
      // Except after an answer such as a proxy's 502.
      if (source.readyState === EventSource.CLOSED) reopening = setTimeout(open, 2_000);
    };
  };
  open();
  return () => {
    source.close();
    clearTimeout(reopening);
  };
}
