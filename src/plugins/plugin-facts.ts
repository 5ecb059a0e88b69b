import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { hasErrors, type Problem } from '../errors.js'
import type { ParsedDocument } from '../files/document.js'
import { validateDocument, validateValue } from '../files/validate.js'
import { readDocument } from '../library/read-document.js'
import { type PluginManifest, pluginSchema } from '../schema/plugin.js'

/** What a plugin says of itself without being run. */
export interface PluginFacts {
  name: string
  version?: string
  needs: Readonly<Record<string, string>>
  /** JSON schema of its options. */
  options?: object
  /** Whether its code runs in a process of its own. */
  isIsolated: boolean
  /** Path of its code in its folder, where `package.json` names one. */
  main?: string
}

const factsSizeBytesMax = 256 * 1024
/** Marks a package as a plugin. */
export const pluginKeyword = 'foundry-plugin'

/**
 * Reads `plugin.yaml`, else the `package.json` of a plugin; a folder with neither is called as it is, and says no version. `file` is what
 * problems call the folder. What cannot be read or is not as the schema says is a problem, and leaves the name of the folder.
 */
export async function readPluginFacts(
  folder: string,
  { name, file }: { name: string; file: string },
): Promise<{ facts: PluginFacts; problems: Problem[] }> {
  const own = await readYaml(folder, file)
  const fromPackage = await readPackage(folder, file)
  const problems = [...own.problems, ...fromPackage.problems]
  const manifest = own.manifest ?? fromPackage.manifest
  const { main } = fromPackage
  if (!manifest || hasErrors(problems))
    return { facts: { name, needs: {}, isIsolated: false, ...(main !== undefined && { main }) }, problems }
  const { needs = {}, options, version, isolated = false } = manifest
  const facts = {
    name: manifest.name,
    version,
    needs,
    isIsolated: isolated,
    ...(options && { options }),
    ...(main !== undefined && { main }),
  }
  return { facts, problems }
}

/** Whether a package says that it is a plugin. */
export async function isPluginPackage(folder: string): Promise<boolean> {
  const read = await readDocument(join(folder, 'package.json'), {
    file: 'package.json',
    sizeBytesMax: factsSizeBytesMax,
  })
  return 'document' in read && isMarked(read.document)
}

interface Said {
  manifest?: PluginManifest
  main?: string
  problems: Problem[]
}

async function readYaml(folder: string, file: string): Promise<Said> {
  const path = join(folder, 'plugin.yaml')
  if (!existsSync(path)) return { problems: [] }
  const read = await readDocument(path, { file: `${file}/plugin.yaml`, sizeBytesMax: factsSizeBytesMax })
  if ('problem' in read) return { problems: [read.problem] }
  const { value: manifest, problems } = validateDocument(pluginSchema, read.document)
  return { ...(manifest && { manifest }), problems }
}

/** The name and version of the package count, unless `foundry` in it gives a name; its scope is left out. */
async function readPackage(folder: string, file: string): Promise<Said> {
  const path = join(folder, 'package.json')
  if (!existsSync(path)) return { problems: [] }
  const where = `${file}/package.json`
  const read = await readDocument(path, { file: where, sizeBytesMax: factsSizeBytesMax })
  if ('problem' in read) return { problems: [read.problem] }
  const { name, version, main, foundry } = fieldsOf(read.document)
  const entry = { ...(typeof main === 'string' && { main }) }
  if (!isMarked(read.document)) return { ...entry, problems: [] }
  const own = typeof foundry === 'object' && foundry !== null ? foundry : {}
  const short = typeof name === 'string' ? name.replace(/^@[^/]*\//, '') : name
  const { value: manifest, problems } = validateValue(pluginSchema, { name: short, version, ...own }, where)
  return { ...entry, ...(manifest && { manifest }), problems }
}

function isMarked(document: ParsedDocument): boolean {
  const { foundry, keywords } = fieldsOf(document)
  return foundry !== undefined || (Array.isArray(keywords) && keywords.includes(pluginKeyword))
}

function fieldsOf({ value }: ParsedDocument): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
