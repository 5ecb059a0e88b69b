import type { Command } from 'commander'
import { failure } from '../errors.js'

interface Entry {
  name: string
  summary: string
  options: string[]
  commands: Entry[]
}

/** A completion script made from the commands themselves, so that it never lies. */
export function completionScript(program: Command, shell: string): string {
  const { commands } = describe(program)
  if (shell === 'bash') return bash(commands)
  if (shell === 'zsh') return `#compdef foundry\nautoload -U +X bashcompinit && bashcompinit\n${bash(commands)}`
  if (shell === 'fish') return fish(commands)
  throw failure('USAGE_INVALID', { problem: `No completion for "${shell}"`, next: 'choose bash, zsh or fish' })
}

function describe(command: Command): Entry {
  return {
    name: command.name(),
    summary: command.summary() || command.description(),
    options: command.options.flatMap(option => (option.long ? [option.long] : [])),
    commands: command.commands.map(describe),
  }
}

function bash(commands: readonly Entry[]): string {
  const cases = commands.map(({ name, options, commands: own }) => {
    const words = [...own.map(each => each.name), ...own.flatMap(each => each.options), ...options]
    return `    ${name}) words="${[...new Set(words)].join(' ')}" ;;`
  })
  return [
    '_foundry() {',
    '  local words current="${COMP_WORDS[COMP_CWORD]}"',
    '  case "${COMP_WORDS[1]}" in',
    ...cases,
    `    *) words="${commands.map(each => each.name).join(' ')}" ;;`,
    '  esac',
    `  [ "$COMP_CWORD" -eq 1 ] && words="${commands.map(each => each.name).join(' ')}"`,
    '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
    '}',
    'complete -o default -F _foundry foundry',
  ].join('\n')
}

function fish(commands: readonly Entry[]): string {
  const lines = commands.flatMap(({ name, summary, options, commands: own }) => [
    `complete -c foundry -n __fish_use_subcommand -a ${name} -d '${summary.replaceAll("'", "\\'")}'`,
    ...own.map(each => `complete -c foundry -n '__fish_seen_subcommand_from ${name}' -a ${each.name}`),
    ...options.map(option => `complete -c foundry -n '__fish_seen_subcommand_from ${name}' -l ${option.slice(2)}`),
  ])
  return lines.join('\n')
}
