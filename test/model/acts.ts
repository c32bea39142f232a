import type { ProgressResult } from "../../src/domain/progress-result.js";
import type { JobHandle } from "../../src/reporter/job-handle.js";
import type { InMemoryStorage, InMemoryTransaction } from "../support/in-memory-storage.js";
import type { End, JobName, NamedAttempt, Step, Voice } from "./history.js";
import { type Call, type Ledger, mark } from "./ledger.js";
import type { Process } from "./process.js";
import { type Cause, isOver } from "./reference-model.js";

type Act<K extends Step["do"]> = Extract<Step, { readonly do: K }>;

const statusAfter = { complete: "completed", fail: "failed", cancel: "cancelled" } as const;
const rollBack = new Error("rolled back");

/** The calls that processes make. None is waited for: its answer goes into the ledger when it comes. */
export class Acts {
  readonly #ledger: Ledger;
  readonly #storage: InMemoryStorage;
  /** By the job: the wall clock when it was created, null where it was there from the first. */
  readonly created: Map<string, number | null>;

  constructor(ledger: Ledger, storage: InMemoryStorage, created: Map<string, number | null>) {
    this.#ledger = ledger;
    this.#storage = storage;
    this.created = created;
  }

  report(process: Process, step: Act<"report">): void {
    this.#report(process, step.job, step.percent, step.force, this.#handle(process, step.job, step.voice));
  }

  start(process: Process, { job, attempt, resume, ifRunning }: Act<"start">): void {
    const named = this.#attempt(job, attempt);
    const cause: Cause = { kind: "start", named, resume, reject: ifRunning === "reject" };
    const call = this.#ledger.open("start", { process, job, causes: () => [cause] });
    process.starting(job);
    const options = { resume, ifRunning, ...(named === null ? {} : { attempt: named }) };
    void this.#keep(call, process.reporter.startJob(job, mark(call.number), options), (handle) =>
      process.began(job, handle),
    );
  }

  end(process: Process, { job, end, voice }: Act<"end">): void {
    const handle = this.#handle(process, job, voice);
    void this.#end(this.#openEnd(process, job, end, handle, "none"), process, job, end, handle);
  }

  status(process: Process, { job, status, percent }: Act<"status">): void {
    const cause: Cause = { kind: "status", status, percent: percent ?? 0, attempt: null, error: null };
    const call = this.#ledger.open("status", { process, job, causes: () => [cause] });
    const details = { message: mark(call.number), ...(percent === null ? {} : { percent }) };
    void this.#keep(
      call,
      process.reporter.updateStatus(job, status, details),
      () => isOver(status) && process.ended(job),
    );
  }

  requestCancel(process: Process, { job }: Act<"request cancel">): void {
    const call = this.#ledger.open("cancel request", { process, job, causes: () => [{ kind: "cancel request" }] });
    void this.#keep(call, process.reporter.requestCancel(job, mark(call.number)));
  }

  timeOut(process: Process, { olderThanMs }: Act<"time out">): void {
    const call = this.#ledger.open("time out", { process, job: null });
    void this.#keep(call, process.reporter.timeoutStalled({ olderThanMs }));
  }

  create(process: Process, job: string): void {
    const at = process.line.wall();
    const call = this.#ledger.open("create", { process, job });
    this.created.set(job, this.created.get(job) ?? at);
    void this.#keep(call, process.reporter.createJob({ id: job }));
  }

  read(process: Process, job: string): void {
    void this.#keep(this.#ledger.open("read", { process, job }), process.reporter.getJob(job));
  }

  flush(process: Process): void {
    void this.#keep(this.#ledger.open("flush", { process, job: null }), process.reporter.flush());
  }

  close(process: Process): void {
    const call = this.#ledger.open("close", { process, job: null });
    process.isClosed = true;
    void this.#keep(call, process.reporter.close(), ({ unwritten }) => {
      process.unwritten = unwritten.map(({ jobId }) => jobId);
    });
  }

  run(process: Process, { job, percents, pauseMs, throws }: Act<"run">): void {
    const cause: Cause = { kind: "start", named: null, resume: false, reject: false };
    const start = this.#ledger.open("start", { process, job, causes: () => [cause], byRun: true });
    process.starting(job);
    let end: Call | null = null;
    const work = async (handle: JobHandle) => {
      process.began(job, handle);
      this.#ledger.settle(start, "stored");
      for (const percent of percents) {
        this.#report(process, job, percent, false, handle);
        await process.line.travel(pauseMs);
      }
      end = this.#ledger.open("status", {
        process,
        job,
        causes: (text) => endsOfRun(handle.attempt, text),
        byRun: true,
      });
      if (throws) throw new Error(mark(end.number));
      return mark(end.number);
    };
    process.reporter.run(job, work).then(
      () => end !== null && this.#ledger.settle(end, "stored"),
      (error: unknown) => {
        this.#ledger.fail(start, error);
        // What `run` throws is the error of the work, or of storing its end.
        if (end !== null) this.#ledger.settle(end, "thrown");
      },
    );
  }

  transact(process: Process, { job, end, holdMs, commits }: Act<"in a transaction">): void {
    const call = this.#openEnd(process, job, end, null, "open");
    const body = async (trx: InMemoryTransaction) => {
      await this.#end(call, process, job, end, null, trx);
      if (call.answer?.outcome !== "stored") throw rollBack;
      await process.line.travel(holdMs);
      if (!commits) throw rollBack;
    };
    this.#storage
      .inTransaction((trx) => Promise.race([body(trx), process.death]))
      .then(
        () => {
          call.transaction = "committed";
        },
        () => {
          call.transaction = "rolled back";
        },
      );
  }

  #openEnd(process: Process, job: string, end: End, handle: JobHandle | null, transaction: Call["transaction"]): Call {
    const status = statusAfter[end];
    const attempt = handle?.attempt ?? null;
    const causes = (message: string): readonly Cause[] => [
      { kind: "status", status, percent: 0, attempt, error: end === "fail" ? { code: "E", message } : null },
    ];
    return this.#ledger.open("status", { process, job, causes, transaction });
  }

  async #end(
    call: Call,
    process: Process,
    job: string,
    end: End,
    handle: JobHandle | null,
    trx?: InMemoryTransaction,
  ): Promise<void> {
    const text = mark(call.number);
    const options = trx === undefined ? {} : { trx };
    const { reporter } = process;
    const ending = {
      complete: () => (handle ? handle.complete(text, text, options) : reporter.completeJob(job, text, text, options)),
      fail: () => (handle ? handle.fail("E", text, options) : reporter.failJob(job, "E", text, options)),
      cancel: () => (handle ? handle.cancel(text, options) : reporter.cancelJob(job, text, options)),
    }[end];
    await this.#keep(call, ending(), () => trx === undefined && process.ended(job));
  }

  #report(process: Process, job: string, percent: number, forced: boolean, handle: JobHandle | null): void {
    const cause: Cause = { kind: "report", percent, attempt: handle?.attempt ?? null };
    const call = this.#ledger.open("report", { process, job, causes: () => [cause], forced });
    const text = mark(call.number);
    const { reporter } = process;
    const made = handle
      ? (forced ? handle.forceProgress : handle.progress)(percent, text, text)
      : (forced ? reporter.forceProgress : reporter.progress)(job, percent, text, text);
    const told = (result: ProgressResult) => {
      if (result.outcome === "written") {
        process.reportedOn(job, result.attempt);
        this.#ledger.settle(call, "written", { percent: result.percent, attempt: result.attempt });
      } else if (result.outcome === "rejected") {
        this.#ledger.fail(call, result.error);
      } else this.#ledger.settle(call, result.outcome);
    };
    void this.#keep(call, made, told);
  }

  async #keep<T>(call: Call, answer: Promise<T>, told: (value: T) => unknown = () => {}): Promise<void> {
    try {
      told(await answer);
      this.#ledger.settle(call, "stored");
    } catch (error) {
      this.#ledger.fail(call, error);
    }
  }

  #handle(process: Process, job: string, voice: Voice): JobHandle | null {
    if (voice === "process") return null;
    const handles = process.handles(job);
    return (voice === "handle" ? handles.at(-1) : handles[0]) ?? null;
  }

  /** As a queue counts attempts itself: from what is stored. */
  #attempt(job: JobName, named: NamedAttempt | null): number | null {
    if (named === null || this.created.get(job) === undefined) return null;
    const offset = { next: 1, same: 0, before: -1, "far ahead": 5 }[named];
    const stored = this.#storage.find(job)?.attempt ?? 0;
    return Math.max(1, stored + offset);
  }
}

/** Work that throws after its signal fired cancels its job. */
function endsOfRun(attempt: number, text: string): readonly Cause[] {
  const ends = { kind: "status", percent: 0, attempt } as const;
  return [
    { ...ends, status: "completed", error: null },
    { ...ends, status: "failed", error: { code: "Error", message: text } },
    { ...ends, status: "cancelled", error: null },
  ];
}
