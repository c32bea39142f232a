/** Calls `show` with each state of the job at `url`, as in "/api/v1/jobs/42", until it is over. Answers how to stop. */
export function watchJob(url, show) {
  let source, reopening, newest;
  const open = () => {
    source = new EventSource(`${url}/events`); // reconnects by itself, except after an answer such as a proxy's 502
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) reopening = setTimeout(open, 2_000);
    };
    source.onmessage = ({ data }) => {
      const job = JSON.parse(data);
      if (job.attempts === newest?.attempts && job.progress.percent < newest.progress.percent) return; // it is older
      newest = job;
      if (["completed", "failed", "cancelled", "timeout"].includes(job.status)) source.close();
      show(job);
    };
  };
  open();
  return () => {
    source.close();
    clearTimeout(reopening);
  };
}
