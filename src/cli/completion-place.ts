/** What may stand at a place of the command line. */
export type Offer =
  | { kind: 'files' | 'folders' | 'runs' | 'free' }
  /** `names`: or the path of a file. `list`: several, with commas between them. */
  | { kind: 'words' | 'names' | 'list'; words: readonly string[] }

export interface OfferedOption {
  name: string
  /** Absent where it takes no value. */
  value?: Offer
}

/** A command as completion sees it. */
export interface Place {
  /** `runs show`; empty for the program itself. */
  words: string
  name: string
  summary: string
  commands: Place[]
  options: OfferedOption[]
  argument?: { offer: Offer; isRepeated: boolean }
}

/** Options with a value, by name: the word behind them is no command. */
export function valuedOptions(places: readonly Place[]): string[] {
  const valued = places.flatMap(({ options }) => options.filter(each => each.value).map(each => each.name))
  return [...new Set(valued)]
}

/** The commands that have commands of their own. */
export function groups({ commands }: Place): string[] {
  return [...commands.filter(each => each.commands.length > 0).map(each => each.name), 'help']
}
