import type { History } from "./history.js";
import { brokenAfterClosing, brokenWhileOpen } from "./promises.js";
import { Story } from "./story.js";
import { World } from "./world.js";

/** What a history came to. */
export interface Tally {
  steps: number;
  calls: number;
  troubles: number;
  changes: number;
  events: number;
  deliveries: number;
  views: number;
}

/** Lives through a history and answers everything the library broke its word in. */
export async function brokenPromises(history: History, tally?: Tally): Promise<readonly string[]> {
  const world = new World(history);
  await world.live();
  const story = new Story(world);
  const whileOpen = brokenWhileOpen(world, story);
  await world.end();
  if (tally !== undefined) count(world, story, tally);
  return [...whileOpen, ...brokenAfterClosing(world)];
}

export function emptyTally(): Tally {
  return { steps: 0, calls: 0, troubles: 0, changes: 0, events: 0, deliveries: 0, views: 0 };
}

function count(world: World, story: Story, tally: Tally): void {
  tally.steps += world.history.steps.length;
  tally.calls += world.ledger.calls.length;
  tally.troubles += world.weather.troubled;
  tally.changes += story.chapters.length;
  tally.events += story.chapters.filter(({ tells }) => tells).length;
  tally.deliveries += world.arrivals.length;
  tally.views += world.spectators.reduce((sum, { views }) => sum + views.length, 0);
}
