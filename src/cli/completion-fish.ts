import { groups, type Offer, type Place, valuedOptions } from './completion-place.js'

export function fishScript(own: Place, places: readonly Place[]): string {
  return [...functions(own, places), 'complete -c foundry -f', ...places.flatMap(each => linesOf(each))].join('\n')
}

/** `__foundry_place` says the command that the words before name and how many arguments it has, such as `runs show 0`. */
function functions(own: Place, places: readonly Place[]): string[] {
  return [
    'function __foundry_place',
    '  set -l words (commandline -opc)',
    '  set -e words[1]',
    '  set -l place',
    '  set -l given 0',
    "  set -l option ''",
    '  for word in $words',
    '    if test -n "$option"',
    "      set option ''",
    '      continue',
    '    end',
    '    switch $word',
    `      case ${valuedOptions(places).join(' ')}`,
    '        set option $word',
    "      case '-*'",
    "      case '*'",
    '        if test (count $place) -eq 0',
    '          set place $word',
    `        else if test (count $place) -eq 1; and contains -- $place[1] ${groups(own).join(' ')}`,
    '          set place $place $word',
    '        else',
    '          set given (math $given + 1)',
    '        end',
    '    end',
    '  end',
    '  echo "$place $given"',
    'end',
    'function __foundry_at',
    '  string match -qr -- "^$argv[1] $argv[2]\\$" (__foundry_place)',
    'end',
    'function __foundry_runs',
    '  set -l home $FOUNDRY_HOME',
    '  set -l words (commandline -opc)',
    '  for at in (seq (count $words))',
    '    switch $words[$at]',
    '      case --home',
    '        set home $words[(math $at + 1)]',
    "      case '--home=*'",
    "        set home (string replace -- --home= '' $words[$at])",
    '    end',
    '  end',
    '  if test -z "$home"',
    '    set home $PWD',
    '    while not test -e $home/foundry.yaml; and not test -d $home/.foundry; and test $home != /',
    '      set home (dirname $home)',
    '    end',
    '  end',
    "  set home (string replace -r -- '^~' $HOME $home)",
    '  for run in $home/runs/*/',
    '    basename $run',
    '  end',
    'end',
  ]
}

function linesOf({ words, commands, options, argument }: Place): string[] {
  const at = (given: string) => `-n "__foundry_at '${words}' '${given}'"`
  // Options of the program itself may stand behind every command.
  const anywhere = words === '' ? '' : ` ${at('[0-9]+')}`
  const help = words === '' ? [{ name: 'help', summary: 'display help for command' }] : []
  return [
    ...[...commands, ...help].map(each => `complete -c foundry ${at('0')} -a ${each.name} -d ${quote(each.summary)}`),
    ...(words === ''
      ? [`complete -c foundry -n "__foundry_at help 0" -a ${quote(commands.map(each => each.name).join(' '))}`]
      : []),
    ...options.map(({ name, value }) => {
      const flags = value ? ` ${valueFlags(value)}` : ''
      return `complete -c foundry${anywhere} -l ${name.slice(2)}${flags}`
    }),
    ...(argument
      ? [`complete -c foundry ${at(argument.isRepeated ? '[0-9]+' : '0')} ${argumentFlags(argument.offer)}`]
      : []),
  ]
}

function valueFlags(offer: Offer): string {
  if (offer.kind === 'files' || offer.kind === 'names') return `-r -F${wordsFlag(offer)}`
  return `-x${wordsFlag(offer)}`
}

function argumentFlags(offer: Offer): string {
  return offer.kind === 'files' ? '-F' : `-f${wordsFlag(offer)}`
}

function wordsFlag(offer: Offer): string {
  if (offer.kind === 'runs') return ` -a '(__foundry_runs)'`
  if (offer.kind === 'folders') return ` -a '(__fish_complete_directories)'`
  if (!('words' in offer)) return ''
  const words = offer.words.join(' ')
  return ` -a ${quote(offer.kind === 'list' ? `(__fish_append , ${words})` : words)}`
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
