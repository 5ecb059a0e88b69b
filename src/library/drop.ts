import { basename, dirname, resolve } from 'node:path'
import type { Problem } from '../errors.js'
import { hasErrors } from '../errors.js'
import { stampAt } from '../files/read-bounded.js'
import type { PersonaKit } from '../schema/persona-kit.js'
import { personaKitSchema } from '../schema/persona-kit.js'
import type { PersonaManifest } from '../schema/persona-manifest.js'
import { personaManifestSchema } from '../schema/persona-manifest.js'
import type { RenderOrder } from '../schema/render-order.js'
import { renderOrderSchema } from '../schema/render-order.js'
import type { ParsedDocument } from '../files/document.js'
import { chooseDropKind } from './drop-kind.js'
import type { OrderedKit } from './drop-order.js'
import { readOrderedKits } from './drop-order.js'
import { readNamedReferences, type ReferenceFile } from './references.js'
import { checkKitFields } from './kit-fields.js'
import { nameOf } from './name-of.js'
import { redactProblem } from './privacy.js'
import { type DropFile, isClosedText, readDocument } from './read-document.js'
import { validateDocument } from '../files/validate.js'

export { isDropName } from './drop-name.js'
export type { DropFile } from './read-document.js'

export type Drop =
  | { kind: 'persona-manifest'; manifest: PersonaManifest; folder: string }
  | { kind: 'persona-kit'; kit: PersonaKit; references?: readonly ReferenceFile[]; folder: string }
  | {
      kind: 'render-order'
      order: RenderOrder
      kits: OrderedKit[]
      references?: readonly ReferenceFile[]
      folder: string
    }

export interface DropReading {
  /** Absent when there is an error among the problems. */
  drop?: Drop
  problems: Problem[]
  /** Of the dropped file itself; empty when it could not be read. */
  sha256: string
  /** The dropped file, then every file that it names and that may be followed, readable or not. */
  files: DropFile[]
}

/**
 * Reads a drop and all kits and reference pictures that it names, nothing else. All mistakes are returned, none is thrown; those of kits
 * repeat no personal data.
 * With a `root`, the drop and what it names must lie inside; without, what it names must lie in the folder `manifests`
 * around it, or else in its own folder.
 */
export async function readDrop(path: string, { root }: { root?: string | undefined } = {}): Promise<DropReading> {
  const file = nameOf(path, root)
  const read = await readDocument(path, { file, root })
  if ('problem' in read) {
    const stamp = await stampAt(path)
    return {
      problems: [read.problem],
      sha256: '',
      files: [{ path: resolve(path), ...(stamp && { stamp }), isClosed: false }],
    }
  }
  const { document, bytes, sha256, stamp } = read
  const { drop, problems, files = [] } = await understand(document, { path: resolve(path), root, bytes })
  const own = { path: resolve(path), stamp, isClosed: isClosedText(read) }
  return { ...(drop && !hasErrors(problems) && { drop }), problems, sha256, files: [own, ...files] }
}

interface Source {
  path: string
  root: string | undefined
  bytes: Buffer
}

async function understand(
  document: ParsedDocument,
  source: Source,
): Promise<{ drop?: Drop; problems: Problem[]; files?: DropFile[] }> {
  const folder = dirname(source.path)
  // A list that does not even parse may hold what a persona manifest holds.
  if (document.value === undefined) {
    const values = startsAsList(source.bytes) ? 'hidden' : 'shown'
    return { problems: validateDocument({}, document, { values }).problems.map(redactProblem) }
  }
  const kind = chooseDropKind(document)
  if (typeof kind === 'object') return { problems: [...document.problems, kind.problem] }
  if (kind === 'persona-manifest') {
    const { value: manifest, problems } = validateDocument(personaManifestSchema, document, { values: 'hidden' })
    return { ...(manifest && { drop: { kind, manifest, folder } }), problems }
  }
  const around = { document, path: source.path, root: source.root ?? manifestsAround(folder) ?? folder }
  if (kind === 'persona-kit') {
    const { value: kit, problems } = validateDocument(personaKitSchema, document)
    const named = await readNamedReferences(kit?.references, around)
    const { references } = named
    return {
      ...(kit && { drop: { kind, kit, folder, ...(references.length > 0 && { references }) } }),
      problems: [...problems, ...checkKitFields(document), ...named.problems].map(redactProblem),
      files: named.files,
    }
  }
  const { value: order, problems } = validateDocument(renderOrderSchema, document)
  if (!order) return { problems }
  const ordered = await readOrderedKits(order, around)
  const named = await readNamedReferences(order.references, around)
  const { references } = named
  return {
    drop: { kind, order, kits: ordered.kits, folder, ...(references.length > 0 && { references }) },
    problems: [...problems, ...ordered.problems, ...named.problems],
    files: [...ordered.files, ...named.files],
  }
}

function manifestsAround(folder: string): string | undefined {
  if (basename(folder) === 'manifests') return folder
  return dirname(folder) === folder ? undefined : manifestsAround(dirname(folder))
}

function startsAsList(bytes: Buffer): boolean {
  return /^\uFEFF?\s*(?:\[|- )/.test(bytes.subarray(0, 200).toString('utf8'))
}
