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
  return shell === 'bash' ? bash(own) : zsh(own)
}

function describe(command: Command): Entry {
  return {
    name: command.name(),
    summary: command.summary() || command.description(),
    options: command.options.flatMap(option => (option.long ? [option.long] : [])),
    commands: command.commands.map(describe),
  }
}

function bash(own: Entry): string {
  return [
    '_foundry() {',
    '  local current="${COMP_WORDS[COMP_CWORD]}" command="" inner="" offered="" word',
    '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    ...findCommand,
    '  done',
    ...offers(own, words => `offered='${words}'`),
    '  COMPREPLY=($(compgen -W "$offered" -- "$current"))',
    '}',
    'complete -o default -F _foundry foundry',
  ].join('\n')
}

/** To be sourced, or put as `_foundry` into a folder of `fpath`, where its first call is the completion itself. */
function zsh(own: Entry): string {
  return [
    '#compdef foundry',
    '_foundry() {',
    '  local command="" inner="" word',
    '  local -a offered',
    '  for word in "${(@)words[2,CURRENT-1]}"; do',
    ...findCommand,
    '  done',
    ...offers(own, words => `offered=(${words})`),
    '  compadd -a offered || _files',
    '}',
    'if [[ "${funcstack[1]}" == _foundry ]]; then',
    '  _foundry "$@"',
    'else',
    '  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }',
    '  compdef _foundry foundry',
    'fi',
  ].join('\n')
}

/** The command is the first word that is no option, and behind `runs` and `talents` the second as well. */
const findCommand = [
  '    case "$word" in',
  '      -*) ;;',
  '      *) if [ -z "$command" ]; then command="$word"; elif [ -z "$inner" ]; then inner="$word"; fi ;;',
  '    esac',
]

/** What is offered behind each command, in words that bash and zsh both understand. */
function offers({ commands, options }: Entry, offer: (words: string) => string): string[] {
  const all = [...options, '--help']
  const words = (entry: Entry) => [...entry.commands.map(each => each.name), ...entry.options, ...all].join(' ')
  const names = commands.map(each => each.name)
  const nested = commands.flatMap(entry =>
    entry.commands.map(each => `    '${entry.name} ${each.name}') ${offer(words(each))} ;;`),
  )
  return [
    '  case "$command" in',
    `    '') ${offer([...names, 'help', ...all].join(' '))} ;;`,
    `    help) ${offer(names.join(' '))} ;;`,
    ...commands.map(entry => `    ${entry.name}) ${offer(words(entry))} ;;`),
    '  esac',
    '  case "$command $inner" in',
    ...nested,
    '  esac',
  ]
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
