import { closeOnSignals, type ProgressReporter } from "worker-progress";

interface Worker {
  close(): Promise<void>;
}

export function closeBoth(worker: Worker, reporter: ProgressReporter): void {
  closeOnSignals(reporter, {
    before: () => worker.close(), // takes no more jobs, waits for those that run
  });
}
