import type { JobHandler } from "../../src/http/job-handler.js";

/** Sends a request to a path under the jobs. */
export function ask(handler: JobHandler, path: string, init: RequestInit = {}): Promise<Response> {
  return handler(new Request(`http://api/api/v1/jobs/${path}`, init));
}

/** The body of a response, as JSON. */
export async function bodyOf(response: Response): Promise<Readonly<Record<string, unknown>>> {
  return JSON.parse(await response.text());
}

/** One event of a stream, or a comment. */
export interface ReceivedEvent {
  readonly id?: string;
  readonly data?: string;
  readonly retry?: string;
  readonly comment?: string;
}

/** Reads the blocks of a stream of events one by one. */
export async function* eventsOf(response: Response): AsyncGenerator<ReceivedEvent, void, undefined> {
  if (response.body === null) return;
  let rest = "";
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    rest += text;
    for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
      yield parse(rest.slice(0, end));
      rest = rest.slice(end + 2);
    }
  }
}

/** The percents of the states in a stream that ends. */
export async function percentsOf(response: Response): Promise<readonly number[]> {
  const percents: number[] = [];
  for await (const { data } of eventsOf(response)) if (data) percents.push(JSON.parse(data).progress.percent);
  return percents;
}

function parse(block: string): ReceivedEvent {
  const fields = block.split("\n").map((line) => {
    const [name = "", ...value] = line.split(": ");
    return [name === "" || line.startsWith(":") ? "comment" : name, value.join(": ")];
  });
  return Object.fromEntries(fields);
}
