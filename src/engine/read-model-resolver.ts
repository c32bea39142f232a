import type { JobView } from "../domain/job-view.js";

/** What a caller knows of a job that its table does not hold. Absent keys stay as the table says. */
export type ReadModelExtras = Partial<Pick<JobView, "artefacts" | "queue_position">>;

/** Adds to the read model of a job. */
export type ReadModelResolver = (job: JobView) => ReadModelExtras | Promise<ReadModelExtras>;
