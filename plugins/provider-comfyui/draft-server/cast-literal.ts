/**
 * Literals cast as Python's int, float, str and bool would, with their complaints. Numbers beyond 2^53 arrive and stay
 * as bigint.
 */
export function castLiteral(type: unknown, value: unknown): { value: unknown } | { complaint: string } {
  switch (type) {
    case 'INT':
      return castInt(value)
    case 'FLOAT':
      return castFloat(value)
    case 'STRING':
      return { value: typeof value === 'string' ? value : pythonText(value) }
    case 'BOOLEAN':
      return { value: Boolean(value) }
    default:
      return { value }
  }
}

/** A value as Python's `str` shows it inside a message. */
export function pythonText(value: unknown): string {
  if (value === null || value === undefined) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (Array.isArray(value)) return `[${value.map(pythonRepr).join(', ')}]`
  if (typeof value === 'object') {
    const members = Object.entries(value).map(([key, each]) => `${pythonRepr(key)}: ${pythonRepr(each)}`)
    return `{${members.join(', ')}}`
  }
  return String(value)
}

/** The same for a number that is a float on the server: 1 is `1.0`. */
export function floatText(value: unknown): string {
  return typeof value === 'number' && Number.isInteger(value) ? `${value}.0` : pythonText(value)
}

export function pythonRepr(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : pythonText(value)
}

function castInt(value: unknown): { value: unknown } | { complaint: string } {
  if (typeof value === 'number') return { value: Math.trunc(value) }
  if (typeof value === 'bigint') return { value }
  if (typeof value === 'boolean') return { value: Number(value) }
  if (typeof value !== 'string') {
    const wanted = 'a string, a bytes-like object or a real number'
    return { complaint: `int() argument must be ${wanted}, not '${typeName(value)}'` }
  }
  if (!/^\s*[+-]?\d+\s*$/.test(value)) {
    return { complaint: `invalid literal for int() with base 10: ${pythonRepr(value)}` }
  }
  const number = Number(value)
  return { value: Number.isSafeInteger(number) ? number : BigInt(value.trim()) }
}

function castFloat(value: unknown): { value: unknown } | { complaint: string } {
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') {
    return { value: Number(value) }
  }
  if (typeof value !== 'string') {
    return { complaint: `float() argument must be a string or a real number, not '${typeName(value)}'` }
  }
  const number = Number(value)
  if (value.trim() === '' || Number.isNaN(number)) {
    return { complaint: `could not convert string to float: ${pythonRepr(value)}` }
  }
  return { value: number }
}

function typeName(value: unknown): string {
  if (value === null) return 'NoneType'
  return Array.isArray(value) ? 'list' : 'dict'
}
