import { stat } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import type { Config } from '../config/config.js'
import { failure } from '../errors.js'
import type { Library, Talent } from '../library/talents.js'
import { findKits } from '../library/talents-find.js'
import { kitOf, readKits } from './talents-commands.js'

const weightsName = 'weights.safetensors'

/** A file of weights that a word of the command line means, and the kit that it is of. */
export interface Weights {
  /** As problems and answers call it. */
  file: string
  path: string
  /** What a command names the kit by. */
  kit?: string
}

/**
 * The weights behind words of the command line: a file, a folder of kits, or the id of a kit of this home; all kits of the home
 * where there is no word. Throws TALENT_UNKNOWN for an id of none, FILE_UNREADABLE for a path that leads nowhere.
 */
export async function findWeights(config: Config, words: readonly string[]): Promise<Weights[]> {
  const shelf = lazily(() => readKits(config))
  if (words.length === 0) return (await shelf()).talents.map(weightsOf)
  const found: Weights[] = []
  for (const word of words) found.push(...(await findBehind(word, shelf)))
  return found
}

async function findBehind(word: string, shelf: () => Promise<Library>): Promise<Weights[]> {
  const path = resolve(word)
  const kind = await stat(path).then(
    stats => (stats.isDirectory() ? 'folder' : 'file'),
    () => 'none',
  )
  if (kind === 'file') return [{ file: word, path }]
  if (kind === 'none' && isPath(word)) throw failure('FILE_UNREADABLE', { file: word, reason: 'there is no such file' })
  if (kind === 'none') return [weightsOf(kitOf(await shelf(), word))]
  const { kits } = await findKits([path])
  if (kits.length === 0) throw failure('FILE_UNREADABLE', { file: word, reason: 'no kit lies in this folder' })
  return kits.map(folder => {
    const shown = join(word, relative(path, folder))
    return { file: join(shown, weightsName), path: join(folder, weightsName), kit: shown }
  })
}

/** The weights behind one word. Throws as `findWeights`, and USAGE_INVALID where the word means several. */
export async function findOneWeights(config: Config, word: string): Promise<Weights> {
  const [first, ...more] = await findWeights(config, [word])
  if (first && more.length === 0) return first
  throw failure('USAGE_INVALID', { problem: `${word} holds ${more.length + 1} kits`, next: 'name one of them' })
}

/** Ids of kits hold dots, too, but end otherwise. */
function isPath(word: string): boolean {
  return /[\\/]/.test(word) || /\.(?:safetensors|sft)$/i.test(word) || !word.startsWith('avatar.')
}

function weightsOf({ id, folder }: Talent): Weights {
  const path = join(folder, weightsName)
  return { file: path, path, kit: id }
}

function lazily<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined
  return () => (made ??= make())
}
