const LENGTH_MAX = 160

/** `personas[2].seed`; names that are no plain words stand in brackets, shortened. The root is the empty string. */
export function formatPath(path: readonly (string | number)[]): string {
  const text = path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    if (/^[\p{L}_$][\p{L}\p{N}_$-]{0,63}$/u.test(part)) return text === '' ? part : `${text}.${part}`
    return `${text}[${JSON.stringify(part.length > 60 ? `${part.slice(0, 59)}…` : part)}]`
  }, '')
  return text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX - 1)}…` : text
}

/** The path that a JSON pointer names in a value: parts are indices where the value has a list. */
export function pathOfPointer(pointer: string, root: unknown): { path: (string | number)[]; value: unknown } {
  const path: (string | number)[] = []
  let value = root
  for (const part of partsOfPointer(pointer)) {
    path.push(Array.isArray(value) ? Number(part) : part)
    value = at(value, part)
  }
  return { path, value }
}

/** What a pointer leads to in a value; undefined where nothing is. */
export function valueAt(pointer: string, root: unknown): unknown {
  return partsOfPointer(pointer).reduce(at, root)
}

function partsOfPointer(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function at(value: unknown, part: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, part)
    ? (value as Record<string, unknown>)[part]
    : undefined
}

/** The parts of what `formatPath` wrote. */
export function parsePath(text: string): (string | number)[] {
  return [...text.matchAll(/\[("(?:[^"\\]|\\.)*")\]|\[(\d+)\]|\.?([^.[\]]+)/g)].map(([, quoted, index, name = '']) =>
    quoted !== undefined ? (JSON.parse(quoted) as string) : index !== undefined ? Number(index) : name,
  )
}
