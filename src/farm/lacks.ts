/** A server that may be asked to render something, with why it cannot. */
export interface Lack {
  name: string
  /** Absent where it can. */
  reason: string | undefined
}

/** Why a server with these labels gets nothing that asks for those; undefined where it has them. */
export function lackOfLabels(labels: readonly string[], wanted: readonly string[]): string | undefined {
  const missing = wanted.filter(label => !labels.includes(label))
  return missing.length > 0 ? `it does not have the label ${missing.join(', ')}` : undefined
}

/** Why none of them can, in one sentence for each. */
export function describeLacks(lacks: readonly Lack[]): string {
  const [only] = lacks
  if (lacks.length === 1) return only?.reason ?? ''
  return `No server can render it. ${lacks.map(({ name, reason }) => `${name}: ${reason}`).join('; ')}`
}
