import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { packageRoot } from '../config/package-root.js'
import { publishedSchemas } from '../schema/publish.js'

/** What ships with the package and may be named on a command line. */
export interface ShippedNames {
  templates: readonly string[]
  workflows: readonly string[]
  talents: readonly string[]
  schemas: readonly string[]
}

/** By the names of files and folders alone: a completion script is made while a shell starts. */
export async function readShippedNames(): Promise<ShippedNames> {
  const [templates, workflows, talents] = await Promise.all([
    namesIn('plugins', /([^/]+)\.template\.yaml$/),
    namesIn('workflows', /^([^/]+)\.json$/),
    namesIn('talents', /([^/]+)\/talent\.json$/),
  ])
  return { templates, workflows, talents, schemas: Object.keys(publishedSchemas) }
}

async function namesIn(folder: string, pattern: RegExp): Promise<string[]> {
  // A package without these examples has no names to offer.
  const files = await readdir(join(packageRoot, folder), { recursive: true }).catch(() => [])
  const names = files.flatMap(file => pattern.exec(file.replaceAll('\\', '/'))?.[1] ?? [])
  return [...new Set(names)].sort()
}
