/** The points between a change and its event's end in the outbox, in their order. */
export const killPoints = [
  "before the commit",
  "after the commit",
  "before the publish",
  "after the publish",
  "before the acknowledge",
  "after the acknowledge",
] as const;

export type KillPoint = (typeof killPoints)[number];
