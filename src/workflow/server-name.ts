import { findNearMiss } from '../files/near-miss.js'

/** The server's own spelling of a model name: the same letters, or the same but for the separators of folders. */
export function serverNameOf(name: string, known: readonly string[]): string | undefined {
  return known.includes(name) ? name : known.find(each => withSlashes(each) === withSlashes(name))
}

/** What a name that the server does not know most likely means: the same file in another folder, else a misspelt name. */
export function likelyNameOf(name: string, known: readonly string[]): string | undefined {
  return known.find(each => fileOf(each) === fileOf(name)) ?? findNearMiss(name, known)
}

/** A model name with `/` between its folders, as the foundry writes it. */
export function withSlashes(name: string): string {
  return name.replaceAll(/[\\/]+/g, '/')
}

function fileOf(name: string): string {
  return withSlashes(name).split('/').at(-1)?.toLowerCase() ?? ''
}
