/** What ends a demo beside the library's own errors. */
export class DemoFailure extends Error {
  override readonly name = "DemoFailure";
  readonly code: "REDIS_UNREACHABLE" | "EVENTS_MISSING";

  constructor(code: "REDIS_UNREACHABLE" | "EVENTS_MISSING", message: string) {
    super(message);
    this.code = code;
  }
}
