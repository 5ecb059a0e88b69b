import type { Command } from 'commander'

export const shells = ['bash', 'zsh', 'fish'] as const

interface Entry {
  name: string
  summary: string
  options: string[]
  commands: Entry[]
}

/** A completion script made from the commands themselves, so that it never lies. */
export function completionScript(program: Command, shell: string): string {
  const own = describe(program)
  if (shell === 'fish') return fish(own)
  const script = bash(own)
  return shell === 'bash' ? script : `#compdef foundry\nautoload -U +X bashcompinit && bashcompinit\n${script}`
}

function describe(command: Command): Entry {
  return {
    name: command.name(),
    summary: command.summary() || command.description(),
    options: command.options.flatMap(option => (option.long ? [option.long] : [])),
    commands: command.commands.map(describe),
  }
}

/** The command is the first word that is no option, and behind `runs` and `talents` the second as well. */
function bash({ commands, options }: Entry): string {
  const all = [...options, '--help']
  const words = (entry: Entry) => [...entry.commands.map(each => each.name), ...entry.options, ...all].join(' ')
  const nested = commands.flatMap(entry =>
    entry.commands.map(each => `    '${entry.name} ${each.name}') words='${words(each)}' ;;`),
  )
  return [
    '_foundry() {',
    '  local current="${COMP_WORDS[COMP_CWORD]}" command="" inner="" words="" word',
    '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    '    case "$word" in',
    '      -*) ;;',
    '      *) if [ -z "$command" ]; then command="$word"; elif [ -z "$inner" ]; then inner="$word"; fi ;;',
    '    esac',
    '  done',
    '  case "$command" in',
    `    '') words='${[...commands.map(each => each.name), 'help', ...all].join(' ')}' ;;`,
    `    help) words='${commands.map(each => each.name).join(' ')}' ;;`,
    ...commands.map(entry => `    ${entry.name}) words='${words(entry)}' ;;`),
    '  esac',
    '  case "$command $inner" in',
    ...nested,
    '  esac',
    '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
    '}',
    'complete -o default -F _foundry foundry',
  ].join('\n')
}

function fish({ commands, options }: Entry): string {
  const lines = commands.flatMap(({ name, summary, options: own, commands: inner }) => [
    `complete -c foundry -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`,
    ...inner.map(
      each => `complete -c foundry -n '__fish_seen_subcommand_from ${name}' -a ${each.name} -d ${quote(each.summary)}`,
    ),
    ...[...new Set([...own, ...inner.flatMap(each => each.options)])].map(
      option => `complete -c foundry -n '__fish_seen_subcommand_from ${name}' -l ${option.slice(2)}`,
    ),
  ])
  return [...options.map(option => `complete -c foundry -l ${option.slice(2)}`), ...lines].join('\n')
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
