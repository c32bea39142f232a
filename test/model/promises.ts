import { type Call, isAccepted, isRefused } from "./ledger.js";
import { isOver, type ModelJob, mayMove, whole } from "./reference-model.js";
import type { Chapter, Story } from "./story.js";
import { closeTimeoutMs, type World, windowMs } from "./world.js";

/** Everything the library broke its word in, before anybody closed. */
export function brokenWhileOpen(world: World, story: Story): string[] {
  return [
    ...story.chapters.flatMap((chapter) => chapter.violations),
    ...unsettledCalls(world),
    ...unkeptAnswers(world, story),
    ...unjustRefusals(world, story),
    ...strayAttempts(world, story),
    ...lostReports(world, story),
    ...uncoveredChanges(world, story),
    ...ungrantedWrites(world, story),
    ...brokenEvents(world, story),
    ...brokenWatching(world, story),
    ...leftovers(world),
  ];
}

/** What is still wrong when all have closed. */
export function brokenAfterClosing(world: World): string[] {
  const found = lateClosings(world);
  for (const process of world.processes) {
    if (process.killedAt === null && process.unwritten.length > 0 && world.weather.troubled === 0 && !locks(world)) {
      found.push(`reporter ${process.name} closed in fine weather and left ${process.unwritten} unwritten`);
    }
    if (process.killedAt === null && process.line.timers > 0) {
      found.push(`reporter ${process.name} is closed and has ${process.line.timers} timers left`);
    }
  }
  for (const { process, job, ending } of world.spectators) {
    if (process.killedAt === null && ending === null)
      found.push(`watching job ${job} did not end when ${process.name} closed`);
  }
  return found;
}

function named({ number, kind, process, job }: Call): string {
  return `call ${number} (${kind}${job === null ? "" : ` of job ${job}`} by reporter ${process.name})`;
}

/** Every call of a process that lives has its answer. */
function unsettledCalls({ ledger }: World): string[] {
  return ledger.calls
    .filter(
      ({ answer, process, transaction }) => process.killedAt === null && (answer === null || transaction === "open"),
    )
    .map((call) => `${named(call)} never settled`);
}

function lateClosings({ ledger }: World): string[] {
  return ledger.calls.flatMap((call) => {
    if (call.kind !== "close" || call.process.killedAt !== null) return [];
    const took = (call.answer?.at ?? Number.POSITIVE_INFINITY) - call.madeAt;
    return took > closeTimeoutMs ? [`${named(call)} took ${took} ms, longer than ${closeTimeoutMs}`] : [];
  });
}

/** What was said to be stored is stored; what was refused or rolled back changed nothing. */
function unkeptAnswers(world: World, story: Story): string[] {
  // What goes along with the caller's transaction stays with the reporter too, as the caller may roll back.
  const changed = new Set(
    story.chapters.flatMap(({ call, report, inTransaction }) => [
      inTransaction && call === report ? undefined : call?.number,
      inTransaction ? undefined : report?.number,
    ]),
  );
  return world.ledger.calls.flatMap((call) => {
    const { answer, kind, number, transaction } = call;
    if (transaction === "rolled back")
      return changed.has(number) ? [`${named(call)} was rolled back and is stored`] : [];
    if (isRefused(call) && changed.has(number) && !world.weather.mayHideAnswers) {
      return [`${named(call)} was refused with ${answer?.outcome} and is stored all the same`];
    }
    if (isRefused(call) && kind !== "report" && isWhatIsStored(call, story)) {
      return [`${named(call)} was refused with ${answer?.outcome}, and is what is stored`];
    }
    const stores =
      !call.byRun &&
      !mayPassForAnother(call, world) &&
      (kind === "start" || kind === "status" || kind === "cancel request");
    if (stores && answer?.outcome === "stored" && !changed.has(number))
      return [`${named(call)} was stored, but is not`];
    const written = answer?.written ?? null;
    if (written === null || call.job === null) return [];
    const there = story.states(call.job, 0, answer?.journalAfter ?? 0);
    const holds = there.some((job) => job.attempt === written.attempt && job.progress === written.percent);
    return holds ? [] : [`${named(call)} was told that ${written.percent} % is written, but it never was`];
  });
}

/** One of two starts of a job in two processes in the same millisecond may pass for the other. */
function mayPassForAnother(call: Call, { ledger }: World): boolean {
  const isOther = ({ kind, job, process, madeAt }: Call) =>
    kind === "start" && job === call.job && process !== call.process && madeAt === call.madeAt;
  return call.kind === "start" && ledger.calls.some(isOther);
}

/** Whether nothing changed the job between the change that a call made and its answer. */
function isWhatIsStored(call: Call, story: Story): boolean {
  if (call.job === null) return false;
  const last = story.of(call.job).findLast(({ index }) => index < (call.answer?.journalAfter ?? 0));
  return last?.call === call;
}

/** A refusal is true of the job at some moment while the call was open; what a window remembers counts. */
function unjustRefusals(world: World, story: Story): string[] {
  return world.ledger.calls.flatMap((call) => {
    const { answer, job, kind } = call;
    const [cause] = call.causes;
    if (answer === null || job === null || cause === undefined || world.created.get(job) === undefined) return [];
    const remembered = kind === "report" ? firstIndexSince(story, call.madeAt - 2 * windowMs) : call.journalBefore;
    const seen = story.states(job, Math.min(remembered, call.journalBefore), answer.journalAfter);
    const holds = (is: (state: ModelJob) => boolean) => seen.some(is);
    const wrong = `${named(call)} was refused with ${answer.outcome}, which was never true`;
    switch (answer.outcome) {
      case "JOB_FINISHED":
        return holds(({ status }) => isOver(status)) ? [] : [wrong];
      case "JOB_RUNNING":
        return holds(({ status }) => status === "running") ? [] : [wrong];
      case "ILLEGAL_TRANSITION":
        return cause.kind !== "status" || holds(({ status }) => !mayMove(status, cause.status)) ? [] : [wrong];
      case "PROGRESS_DECREASED": {
        if (cause.kind !== "report") return [wrong];
        const before = world.ledger.calls.slice(0, call.number - 1);
        const own = before.some((other) => isHigherOwn(other, call, cause.percent));
        return own || holds(({ progress }) => progress > whole(cause.percent)) ? [] : [wrong];
      }
      case "STALE_ATTEMPT": {
        const asked = cause.kind === "start" ? cause.named : call.belongsTo;
        return asked === null || call.process.starts(job) || holds(({ attempt }) => attempt !== asked) ? [] : [wrong];
      }
      case "STORAGE_UNAVAILABLE":
      case "UNEXPECTED":
        return world.weather.troubled === 0 && call.process.killedAt === null && !call.process.isClosed && !locks(world)
          ? [`${named(call)} ended with ${answer.outcome} in fine weather`]
          : [];
      default:
        return [];
    }
  });
}

function locks({ ledger }: World): boolean {
  return ledger.calls.some(({ transaction }) => transaction !== "none");
}

/** Whether the process itself said more of the job, with a report or a status. */
function isHigherOwn(other: Call, call: Call, percent: number): boolean {
  const [cause] = other.causes;
  const said = cause?.kind === "report" || cause?.kind === "status" ? cause.percent : 0;
  return other.process === call.process && other.job === call.job && said > percent;
}

function firstIndexSince(story: Story, at: number): number {
  return story.chapters.find((chapter) => chapter.at >= at)?.index ?? Number.POSITIVE_INFINITY;
}

/** Who belongs to an attempt changes no other, unless it began that one itself. */
function strayAttempts(_world: World, story: Story): string[] {
  return story.chapters.flatMap(({ call, report, cause, after }) =>
    [cause?.kind === "start" || cause?.kind === "cancel request" ? null : call, report].flatMap((each) => {
      if (each === null || each.belongsTo === null || each.belongsTo === after.attempt) return [];
      const began = each.process.handles(after.id).some(({ attempt }) => attempt === after.attempt);
      return began || each.process.starts(after.id)
        ? isByHandle(each)
          ? [`${named(each)} belongs to attempt ${each.belongsTo} and changed attempt ${after.attempt}`]
          : []
        : [`${named(each)} belongs to attempt ${each.belongsTo} and changed attempt ${after.attempt}`];
    }),
  );
}

function isByHandle({ causes: [cause] }: Call): boolean {
  return cause !== undefined && "attempt" in cause && cause.attempt !== null;
}

/** The newest accepted report of each process and job is stored, or overtaken by a higher one of the same attempt. */
function lostReports(world: World, story: Story): string[] {
  return world.processes.flatMap((process) =>
    [...world.created.keys()].flatMap((job) => {
      if (process.unwritten.includes(job)) return [];
      const report = newestAccepted(world, process, job);
      if (report === undefined || report.belongsTo === null) return [];
      return isKept(report, story) ? [] : [`${named(report)} was accepted, was the newest, and is not stored`];
    }),
  );
}

/** A killed process may lose what its last window held, and in bad weather what it kept meanwhile. */
function newestAccepted(world: World, process: Call["process"], job: string): Call | undefined {
  const { killedAt } = process;
  if (killedAt !== null && (world.weather.mayKeepWaiting || locks(world))) return undefined;
  const held = killedAt === null ? 0 : windowMs + world.weather.longestTripMs;
  return world.ledger.calls.findLast((call) => {
    if (call.process !== process || call.job !== job || call.kind !== "report") return false;
    return isAccepted(call) && (killedAt === null || call.madeAt < killedAt - held);
  });
}

function isKept(report: Call, story: Story): boolean {
  const job = report.job as string;
  const [cause] = report.causes;
  const percent = cause?.kind === "report" ? whole(cause.percent) : 0;
  const end = story.end(job);
  if (end.attempt !== report.belongsTo) return true;
  return story.of(job).some((chapter) => {
    if (isFrom(chapter, report)) return true;
    if (chapter.after.attempt !== report.belongsTo) return false;
    return isOver(chapter.after.status) || chapter.after.progress > percent;
  });
}

/** A change of status that was stored takes along what its process reported before. */
function uncoveredChanges(world: World, story: Story): string[] {
  return story.chapters.flatMap((chapter) => {
    const { call, cause, after, index } = chapter;
    if (call === null || cause?.kind !== "status" || call.answer?.outcome !== "stored" || call.transaction !== "none")
      return [];
    const report = world.ledger.calls
      .slice(0, call.number - 1)
      .findLast(
        (other) =>
          other.process === call.process && other.job === call.job && other.kind === "report" && isAccepted(other),
      );
    if (report === undefined || report.belongsTo !== after.attempt || gaveWay(report, world)) return [];
    const [reported] = report.causes;
    const percent = reported?.kind === "report" ? whole(reported.percent) : 0;
    const kept = story.of(after.id).some((each) => {
      if (each.index > index || each.after.attempt !== after.attempt) return false;
      return isFrom(each, report) || overtakes(each, chapter, percent);
    });
    return kept ? [] : [`${named(call)} is stored without ${named(report)}, which came before it`];
  });
}

/** Whether the process reported anew while its own start was on its way: the two share a place, and the newer has it. */
function gaveWay(report: Call, { ledger }: World): boolean {
  const isSame = ({ process, job }: Call) => process === report.process && job === report.job;
  const starts = ledger.calls.filter((call) => call.kind === "start" && isSame(call));
  return ledger.calls
    .slice(report.number)
    .some(
      (call) =>
        call.kind === "report" &&
        isSame(call) &&
        starts.some(({ number, answer }) => number < call.number && (answer?.at ?? Infinity) >= call.madeAt),
    );
}

/** Whether a change stored the report, or one that its process made since. */
function isFrom({ report: stored }: Chapter, report: Call): boolean {
  return stored !== null && stored.process === report.process && stored.number >= report.number;
}

function overtakes(each: Chapter, chapter: Chapter, percent: number): boolean {
  if (each.index === chapter.index) return each.before.progress > percent || isOver(each.before.status);
  return each.after.progress > percent || isOver(each.after.status);
}

/** P1: a process writes progress only with a window of its own, but for what is forced, flushed and goes along with a change. */
function ungrantedWrites({ grants, ledger, weather }: World, story: Story): string[] {
  // What may have been written already is written again.
  if (weather.mayHideAnswers) return [];
  const granted = new Map<string, number>();
  for (const { process, job } of grants) granted.set(`${process} ${job}`, (granted.get(`${process} ${job}`) ?? 0) + 1);
  const bypasses = ledger.calls.filter(
    ({ kind, forced }) => forced || ["flush", "close", "start", "status", "cancel request"].includes(kind),
  );
  const written = new Map<string, number>();
  for (const { cause, report, at, after } of story.chapters) {
    if (cause?.kind !== "report" || report === null || report.forced) continue;
    const bypassed = bypasses.some(
      (other) =>
        other.process === report.process &&
        (other.job === null || other.job === after.id) &&
        other.madeAt <= at &&
        (other.answer?.at ?? Number.POSITIVE_INFINITY) >= report.madeAt,
    );
    if (bypassed) continue;
    const key = `${report.process.name} ${after.id}`;
    written.set(key, (written.get(key) ?? 0) + 1);
  }
  return [...written].flatMap(([key, writes]) => {
    const windows = granted.get(key) ?? 0;
    return writes > windows ? [`reporter and job ${key} wrote progress ${writes} times in ${windows} windows`] : [];
  });
}

/** Ids are unique per transition, first arrivals are in order per job, and nothing stored is left undelivered. */
function brokenEvents(world: World, story: Story): string[] {
  const texts = new Map<string, string>();
  const jobOf = new Map(world.arrivals.map(({ id, jobId }) => [id, jobId]));
  const found: string[] = [];
  for (const { id, payload } of world.arrivals) {
    const text = JSON.stringify(payload);
    if ((texts.get(id) ?? text) !== text || payload.event_id !== id) found.push(`event ${id} tells two stories`);
    texts.set(id, text);
  }
  const repeats = world.arrivals.length - texts.size;
  if (world.wasFine && repeats > 0) found.push(`${repeats} events were delivered twice in fine weather`);
  for (const job of world.created.keys()) {
    const arrived = [...texts].filter(([id]) => jobOf.get(id) === job);
    const changes = story.of(job);
    found.push(
      ...(world.history.delivery === "outbox"
        ? outOfOrder(job, changes, arrived)
        : untrue(world, job, changes, arrived)),
    );
  }
  return found;
}

type Arrival = readonly [id: string, text: string];

function outOfOrder(job: string, changes: readonly Chapter[], arrived: readonly Arrival[]): string[] {
  const stored = changes.flatMap(({ eventId }) => eventId ?? []);
  const missing = stored.length - arrived.length;
  if (missing > 0) return [`${missing} of ${stored.length} events of job ${job} were never delivered`];
  const wrong = arrived.findIndex(([id], i) => id !== stored[i]);
  return wrong === -1
    ? []
    : [`event ${wrong + 1} of job ${job} arrived out of order or was never stored: ${arrived[wrong]}`];
}

function untrue(world: World, job: string, changes: readonly Chapter[], arrived: readonly Arrival[]): string[] {
  const left = [...changes];
  const found: string[] = [];
  for (const [, text] of arrived) {
    const i = left.findIndex(({ mayBe }) => mayBe(JSON.parse(text)));
    if (i === -1) found.push(`an event of job ${job} tells what was not stored: ${text}`);
    else left.splice(i, 1);
  }
  const missing = left.filter(({ tells }) => tells).length;
  if (world.wasFine && missing > 0) found.push(`${missing} events of job ${job} were never delivered`);
  return found;
}

/** Who watches sees no percent fall within an attempt, and in the end what is stored. */
function brokenWatching({ spectators, ledger, created }: World, story: Story): string[] {
  return spectators.flatMap(({ process, job, views, ending, left }) => {
    const found: string[] = [];
    const who = `who watches job ${job} in reporter ${process.name}`;
    views.forEach((view, i) => {
      const before = views[i - 1];
      if (before === undefined) return;
      if (view.attempts < before.attempts) found.push(`${who} saw attempt ${before.attempts}, then ${view.attempts}`);
      else if (view.attempts === before.attempts && view.progress.percent < before.progress.percent) {
        found.push(`${who} saw ${before.progress.percent} %, then ${view.progress.percent} %`);
      }
    });
    for (const { attempts, progress } of views) {
      const stored = story
        .of(job)
        .some(({ after }) => after.attempt === attempts && after.progress === progress.percent);
      const reported = ledger.calls.some(({ job: of, causes: [cause] }) => {
        return of === job && cause?.kind === "report" && whole(cause.percent) === progress.percent;
      });
      if (!stored && !reported && progress.percent > 0)
        found.push(`${who} saw ${progress.percent} %, which nobody reported`);
    }
    if (left || process.killedAt !== null || process.isClosed) return found;
    const last = views.at(-1);
    const end = story.end(job);
    if (ending !== null && ending !== "ended" && !(ending === "JOB_NOT_FOUND" && job === "d"))
      found.push(`${who} was told ${ending}`);
    if (ending === "ended" && last !== undefined && !isOver(last.status))
      found.push(`${who} was left alone with ${last.status}`);
    if (ending !== null || created.get(job) === undefined) return found;
    if (isOver(end.status)) found.push(`${who} still watches, though it is ${end.status}`);
    else if (last?.status !== end.status || last.attempts !== end.attempt || last.progress.percent < end.progress) {
      found.push(
        `${who} last saw ${last?.status} ${last?.progress.percent} %, but ${end.status} ${end.progress} % is stored`,
      );
    }
    return found;
  });
}

function leftovers({ living, storage, history }: World): string[] {
  const found = living.flatMap(({ name, wired }) => {
    const { unwritten } = wired.engine.jobs;
    return unwritten > 0 ? [`reporter ${name} has ${unwritten} jobs that it did not write`] : [];
  });
  const { waiting } = storage.outbox;
  if (history.delivery === "outbox" && waiting.length > 0)
    found.push(`${waiting.length} events still wait in the outbox`);
  return found;
}
