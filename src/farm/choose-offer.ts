import type { Group } from './choose-group.js'

/** Pure: the group that the next job is offered from: the best band, in it the run with the least share, its oldest group. */
export function chooseOffer<Each extends Pick<Group, 'band' | 'run' | 'weight' | 'since'>>(
  groups: readonly Each[],
  placesOf: (run: string) => number,
): Each | undefined {
  let best: { group: Each; share: number } | undefined
  for (const group of groups) {
    const share = placesOf(group.run) / group.weight
    const order = best ? group.band - best.group.band || share - best.share || group.since - best.group.since : -1
    if (order < 0) best = { group, share }
  }
  return best?.group
}
