import type { Argument, Command, Option } from 'commander'
import { bashScript, zshScript } from './completion-bash-zsh.js'
import { fishScript } from './completion-fish.js'
import type { ShippedNames } from './completion-names.js'
import type { Offer, OfferedOption, Place } from './completion-place.js'

export const shells = ['bash', 'zsh', 'fish'] as const

/** A completion script made from the commands themselves, so that it never lies. */
export function completionScript(program: Command, shell: string, names: ShippedNames): string {
  const own = describe(program, '', names)
  own.options.push({ name: '--help' })
  const places = listPlaces(own)
  if (shell === 'fish') return fishScript(own, places)
  return shell === 'bash' ? bashScript(own, places) : zshScript(own, places)
}

function describe(command: Command, words: string, names: ShippedNames): Place {
  const commands = command.commands.map(each => describe(each, `${words} ${each.name()}`.trim(), names))
  const [argument] = command.registeredArguments
  // Without a further word, `list` is meant.
  const own = [command, ...command.commands.filter(each => each.name() === 'list')]
  return {
    words,
    name: command.name(),
    summary: command.summary() || command.description(),
    commands,
    options: own.flatMap(each => each.options).flatMap(option => describeOption(option, names)),
    ...(argument &&
      commands.length === 0 && { argument: { offer: offerOf(argument, names), isRepeated: argument.variadic } }),
  }
}

function describeOption(option: Option, names: ShippedNames): OfferedOption[] {
  if (!option.long) return []
  const takesValue = option.required || option.optional
  return [{ name: option.long, ...(takesValue && { value: valueOf(option, names) }) }]
}

function offerOf(argument: Argument, { talents, schemas }: ShippedNames): Offer {
  if (argument.argChoices) return { kind: 'words', words: argument.argChoices }
  const name = argument.name()
  if (name === 'id') return { kind: 'words', words: talents }
  if (name === 'name') return { kind: 'words', words: schemas }
  return byPlaceholder(name)
}

function valueOf(option: Option, { templates, workflows }: ShippedNames): Offer {
  if (option.argChoices) return { kind: 'words', words: option.argChoices }
  if (option.long === '--templates') return { kind: 'list', words: templates }
  if (option.long === '--template') return { kind: 'words', words: templates }
  if (option.long?.endsWith('workflow')) return { kind: 'names', words: workflows }
  return byPlaceholder(/[<[]([a-z]+)/.exec(option.flags)?.[1] ?? '')
}

function byPlaceholder(name: string): Offer {
  if (name === 'run') return { kind: 'runs' }
  if (name === 'dir' || name === 'folder') return { kind: 'folders' }
  return { kind: ['path', 'file', 'image', 'persona'].includes(name) ? 'files' : 'free' }
}

function listPlaces(place: Place): Place[] {
  return [place, ...place.commands.flatMap(listPlaces)]
}
