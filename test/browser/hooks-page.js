import { createElement, StrictMode } from "react";
import { flushSync } from "react-dom";
import { createRoot } from "react-dom/client";
import { useJob } from "../../examples/hooks/use-job.js";
import { watchJob } from "../../examples/hooks/watch-job.js";

const sources = [];
window.EventSource = class extends EventSource {
  constructor(url) {
    super(url);
    sources.push(this);
  }
};
window.everOpened = () => sources.length;
window.openSources = () => sources.filter(({ readyState }) => readyState !== EventSource.CLOSED).length;

const inWords = ({ status, progress }) => `${status} ${progress.percent} ${progress.step ?? ""}`;

function ShownJob({ id }) {
  const job = useJob(id);
  return createElement("output", null, job === null ? "waiting" : inWords(job));
}

const [kind, id] = window.query.split(" ");
const place = document.body.appendChild(document.createElement("div"));
if (kind === "plain") {
  const output = place.appendChild(document.createElement("output"));
  window.calls = [];
  window.leave = watchJob(`/api/v1/jobs/${id}`, (job) => {
    output.textContent = inWords(job);
    window.calls.push({ percent: job.progress.percent, openSources: window.openSources() });
  });
} else {
  const root = createRoot(place);
  window.showJob = (shown) => {
    flushSync(() => root.render(createElement(StrictMode, null, createElement(ShownJob, { id: shown }))));
    return place.textContent;
  };
  window.leave = () => root.unmount();
  window.showJob(id);
}
