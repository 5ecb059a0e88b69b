/** The files of one model folder of a server, found by name without walking through all of them. */
export interface Shelf {
  /** As the server spells them. */
  names: readonly string[]
  /** In bytes by name, where told. */
  sizes: Readonly<Record<string, number>>
  /** By normal name. */
  byName: ReadonlyMap<string, string>
  /** All names by file stem: without folders and ending. */
  byStem: ReadonlyMap<string, readonly string[]>
}

/** `told` may spell names with other separators than `names`. */
export function toShelf(names: readonly string[], told: ReadonlyMap<string, number> = new Map()): Shelf {
  const sizes: Record<string, number> = {}
  const byStem = new Map<string, string[]>()
  for (const name of names) {
    const sizeBytes = told.get(normalName(name))
    if (sizeBytes !== undefined) sizes[name] = sizeBytes
    const stem = stemOf(name)
    byStem.set(stem, [...(byStem.get(stem) ?? []), name])
  }
  return { names, sizes, byName: new Map(names.map(name => [normalName(name), name])), byStem }
}

/** Names are the same where only their separators differ: Windows servers spell them with a backslash. */
export function normalName(name: string): string {
  return name.includes('\\') ? name.replaceAll('\\', '/') : name
}

function stemOf(name: string): string {
  const base = normalName(name).split('/').at(-1) ?? ''
  return base.replace(/\.[^.]*$/, '')
}
