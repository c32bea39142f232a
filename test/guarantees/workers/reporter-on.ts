import { createProgressReporter, type ProgressReporter, type ReporterOptions } from "worker-progress";
import { optionsOn, type StageAddress } from "../stage-address.js";

/** A reporter on the servers of a stage, opened from their URLs. */
export function reporterOn(address: StageAddress, options?: ReporterOptions): ProgressReporter {
  const { databaseUrl, redisUrl, rabbitmqUrl } = address;
  return createProgressReporter(databaseUrl, redisUrl, rabbitmqUrl, optionsOn(address, options));
}
