/** How much text and JSON a job may carry. */
export interface Limits {
  /** Longest message and reason, in UTF-16 units; longer text is cut. */
  readonly messageLength: number;
  /** Longest step and error code, in UTF-16 units; longer text is cut. */
  readonly labelLength: number;
  /** Largest metrics of one update, in bytes of JSON; larger ones are refused. */
  readonly metricsBytes: number;
  /** Largest output, in bytes of JSON; a larger one is refused. */
  readonly outputBytes: number;
}

export const defaultLimits: Limits = Object.freeze({
  messageLength: 2_000,
  labelLength: 255,
  metricsBytes: 65_536,
  outputBytes: 1_048_576,
});
