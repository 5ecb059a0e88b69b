import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { failure, FoundryError, reasonOf } from '../errors.js'
import { copyDurable, linkOrCopy } from '../files/durable.js'
import { sha256File } from '../files/hash.js'
import { stampAt } from '../files/read-bounded.js'
import type { Talent } from './talents-kit.js'

/** Where the weights of a kit lie for a server, or why they do not. */
export interface Placement {
  kit: string
  folder: string
  /** A server finds it by this name alone, and can tell it from other weights of the same kit. */
  name: string
  state: 'linked' | 'copied' | 'there' | 'planned' | 'refused'
  reason?: string
}

export interface DeployOptions {
  /** A copy shares no bytes with the kit, so that whatever changes the one leaves the other alone. */
  isCopy: boolean
  /** Nothing is written. */
  isDryRun: boolean
}

const hashLength = 12

/** The name of a kit's weights on a server. */
export function deployedName(id: string, sha256: string): string {
  return `${id}-${sha256.slice(0, hashLength)}.safetensors`
}

/** Why the weights of a kit are of no use to a server; undefined where they are. */
export function reasonNotDeployed({ usable, problems, weights }: Talent): string | undefined {
  if (!usable || !weights) {
    const [first] = problems.filter(each => each.severity === 'error')
    return `it cannot be used: ${first ? `${first.file ?? ''} ${first.message}`.trim() : 'it has no weights'}`
  }
  if (weights.isDraft) return 'its weights are made for drafts: put the trained ones in their place'
  if (weights.modulesIgnored >= weights.modules)
    return 'ComfyUI would pass over all of its layers: "foundry talents check" says why'
  return undefined
}

/**
 * Puts the weights of a kit into a folder that a server reads. What is there already is left; what bears the name and is not the
 * same is never written over. Throws nothing that the files could cause: a placement says why it is refused.
 */
export async function deployKit(talent: Talent, folder: string, options: DeployOptions): Promise<Placement> {
  const { id, weights } = talent
  const name = deployedName(id, weights?.sha256 ?? '')
  const placement = { kit: id, folder, name }
  const reason = reasonNotDeployed(talent)
  if (reason !== undefined || !weights) return { ...placement, state: 'refused', reason: reason ?? 'it has no weights' }
  try {
    return { ...placement, state: await place(weights, join(folder, name), options) }
  } catch (thrown) {
    // A kit may vanish while others are put somewhere: the system's own errors, too, are about this one alone.
    if (!(thrown instanceof FoundryError) && (thrown as NodeJS.ErrnoException).code === undefined) throw thrown
    return { ...placement, state: 'refused', reason: reasonOf(thrown) }
  }
}

async function place(
  { path, sha256, sizeBytes }: { path: string; sha256: string; sizeBytes: number },
  target: string,
  { isCopy, isDryRun }: DeployOptions,
): Promise<Placement['state']> {
  const there = await stampAt(target)
  if (there) {
    const isSame = there.sizeBytes === sizeBytes && (await sha256File(target)).sha256 === sha256
    if (!isSame) throw taken(target)
    return 'there'
  }
  if (isDryRun) return 'planned'
  // A second name of a link would be one more link.
  const source = await realpath(path)
  const outcome = isCopy ? await copyDurable(source, target) : await linkOrCopy(source, target)
  if (outcome === 'different') throw taken(target)
  if (outcome === 'same') return 'there'
  return isCopy ? 'copied' : outcome
}

function taken(target: string) {
  return failure('USAGE_INVALID', { problem: `${target} is there already, with other bytes`, next: 'move it away' })
}
