import { groups, type Offer, type Place, valuedOptions } from './completion-place.js'

export function bashScript(own: Place, places: readonly Place[]): string {
  return [
    '_foundry() {',
    '  local current="${COMP_WORDS[COMP_CWORD]}" offered="" before=""',
    // To bash, `=` is a word of its own.
    '  [ "$current" != "=" ] || current=""',
    '  COMPREPLY=()',
    ...findPlace(own, places, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"'),
    ...choose(own, places, words => `offered='${words}'`),
    '  case "$kind" in',
    '    words|names) COMPREPLY=($(compgen -W "$offered" -- "$current")) ;;',
    '    list)',
    '      case "$current" in *,*) before="${current%,*}," ;; esac',
    '      COMPREPLY=($(compgen -P "$before" -W "$offered" -- "${current##*,}"))',
    '      ;;',
    '    runs)',
    ...findHome,
    '      for word in "$home/runs/$current"*/; do',
    '        [ -d "$word" ] || continue',
    '        word="${word%/}"',
    '        COMPREPLY+=("${word##*/}")',
    '      done',
    '      ;;',
    '  esac',
    // Where nothing is offered, bash completes files; an old bash does so everywhere.
    '  case "$kind" in words|list|free) compopt +o default 2>/dev/null ;; esac',
    '  [ "$kind" != folders ] || compopt -o dirnames +o default 2>/dev/null',
    '  return 0',
    '}',
    'complete -o default -F _foundry foundry',
  ].join('\n')
}

/** To be sourced, or put as `_foundry` into a folder of `fpath`, where its first call is the completion itself. */
export function zshScript(own: Place, places: readonly Place[]): string {
  return [
    '#compdef foundry',
    '_foundry() {',
    '  local current="${words[CURRENT]}"',
    '  local -a offered',
    ...findPlace(own, places, '"${(@Q)words[2,CURRENT-1]}"'),
    '  if [[ "$current" == --*=* ]]; then',
    '    option="${current%%=*}"',
    '    compset -P "*="',
    '  fi',
    ...choose(own, places, words => `offered=(${words})`),
    '  case "$kind" in',
    '    words) compadd -a offered ;;',
    '    names) compadd -a offered || _files ;;',
    '    list) compset -P "*,"; compadd -a offered ;;',
    '    files) _files ;;',
    '    folders) _files -/ ;;',
    '    runs)',
    ...findHome,
    '      offered=("$home"/runs/*(N/:t))',
    '      compadd -a offered || _files -/',
    '      ;;',
    '  esac',
    '}',
    'if [[ "${funcstack[1]}" == _foundry ]]; then',
    '  _foundry "$@"',
    'else',
    '  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }',
    '  compdef _foundry foundry',
    'fi',
  ].join('\n')
}

/** `place`: the command that the words before name; `option`: the one whose value comes next; `given`: arguments so far. */
function findPlace(own: Place, places: readonly Place[], words: string): string[] {
  return [
    '  local command="" inner="" option="" home="" skip="" given=0 kind="" place="" word',
    `  for word in ${words}; do`,
    // To bash, `=` and `:` are words of their own: what stands behind a colon is the rest of a value.
    `    case "$word" in`,
    `      '=') continue ;;`,
    `      ':') skip=yes; continue ;;`,
    '    esac',
    '    if [ -n "$skip" ]; then skip=""; continue; fi',
    '    if [ -n "$option" ]; then',
    '      [ "$option" != --home ] || home="$word"',
    '      option=""',
    '      continue',
    '    fi',
    '    case "$word" in',
    '      --home=*) home="${word#*=}" ;;',
    `      ${valuedOptions(places).join('|')}) option="$word" ;;`,
    '      -*) ;;',
    '      *)',
    '        if [ -z "$command" ]; then command="$word"; continue; fi',
    `        case "$command:$inner" in`,
    `          ${groups(own)
      .map(name => `${name}:`)
      .join('|')}) inner="$word" ;;`,
    '          *) given=$((given + 1)) ;;',
    '        esac',
    '        ;;',
    '    esac',
    '  done',
    '  place="$command${inner:+ $inner}"',
  ]
}

/** What is offered there, in words that bash and zsh both understand. */
function choose(own: Place, places: readonly Place[], offer: (words: string) => string): string[] {
  const say = (value: Offer) => `kind=${value.kind}${'words' in value ? `; ${offer(value.words.join(' '))}` : ''} ;;`
  const words = (list: readonly { name: string }[]) => offer(list.map(each => each.name).join(' '))
  const values = places.flatMap(({ words, options }) =>
    options.flatMap(({ name, value }) =>
      // An option of the program itself may stand behind every command.
      value && value.kind !== 'free' ? [`      ${words === '' ? '*' : `"${words} "`}${name}) ${say(value)}`] : [],
    ),
  )
  return [
    '  if [ -n "$option" ]; then',
    '    kind=free',
    '    case "$place $option" in',
    ...values,
    '    esac',
    '    current="${current#*=}"',
    '  else',
    '    case "$current:$place $given" in',
    '      -*) ;;',
    `      *": "0) kind=words; ${words([...own.commands, { name: 'help' }])} ;;`,
    `      *":help "0) kind=words; ${words(own.commands)} ;;`,
    ...places.flatMap(each => argumentsOf(each, say, words)),
    '    esac',
    '  fi',
    '  if [ -z "$kind" ]; then',
    '    kind=words',
    '    case "$place" in',
    ...places.map(({ words: at, options }) => {
      const all = at === '' ? options : [...options, ...own.options]
      return `      '${at}') ${words(all)} ;;`
    }),
    '    esac',
    '  fi',
  ]
}

function argumentsOf(
  { words: at, commands, argument }: Place,
  say: (offer: Offer) => string,
  words: (list: readonly Place[]) => string,
): string[] {
  if (at === '') return []
  if (commands.length > 0) return [`      *":${at} "0) kind=words; ${words(commands)} ;;`]
  return argument ? [`      *":${at} "${argument.isRepeated ? '*' : '0'}) ${say(argument.offer)}`] : []
}

const findHome = [
  '      [ -n "$home" ] || home="${FOUNDRY_HOME-}"',
  '      if [ -z "$home" ]; then',
  '        home="$PWD"',
  '        until [ -z "$home" ] || [ -e "$home/foundry.yaml" ] || [ -d "$home/.foundry" ]; do home="${home%/*}"; done',
  '      fi',
  `      case "$home" in '~'*) home="$HOME\${home#?}" ;; esac`,
]
