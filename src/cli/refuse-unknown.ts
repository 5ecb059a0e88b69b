import type { Command } from 'commander'
import { findNearMiss } from '../files/near-miss.js'

/** Without a command, `runs` and its like list; with one that they do not know, they must not. */
export function refuseUnknown(group: Command): void {
  const word = group.args[0]
  if (word === undefined || word === 'list') return
  const meant = findNearMiss(
    word,
    group.commands.map(each => each.name()),
  )
  const hint = meant === undefined ? '' : `\n(Did you mean ${meant}?)`
  group.error(`error: unknown command '${word}'${hint}`, { code: 'commander.unknownCommand', exitCode: 1 })
}
