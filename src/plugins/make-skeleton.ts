import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { packageRoot } from '../config/package-root.js'
import { failure } from '../errors.js'
import { makeFolder, replaceFile } from '../files/durable.js'

const kinds = ['provider', 'engine', 'storage', 'gate', 'observer', 'style'] as const
export type SkeletonKind = (typeof kinds)[number]

/** The kind that a name begins with, and the rest of it. Throws USAGE_INVALID. */
export function parsePluginName(name: string): { kind: SkeletonKind; short: string } {
  const [, said = '', short = ''] = /^([a-z]+)-([a-z0-9][a-z0-9-]{0,40})$/.exec(name) ?? []
  const kind = kinds.find(each => each === said || `${each}s` === said)
  if (kind) return { kind, short }
  throw failure('USAGE_INVALID', {
    problem: `"${name}" is not the name of a plugin that can be made`,
    next: `write ${kinds.map(each => `${each}-NAME`).join(', ')}, in small letters, digits and -`,
  })
}

/**
 * Writes a plugin that works, to be changed. Nothing that is there is written over. Answers its files.
 * Throws USAGE_INVALID for a name that is none, or a folder that holds something, and FILE_WRITE_FAILED.
 */
export async function makeSkeleton(name: string, folder: string): Promise<string[]> {
  const { kind, short } = parsePluginName(name)
  const there = await readdir(folder).catch(() => [])
  if (there.length > 0)
    throw failure('USAGE_INVALID', {
      problem: `${folder} is not empty`,
      next: 'choose another name, or name a folder with --to',
    })
  const source = join(packageRoot, 'src', 'plugins', 'skeletons', kind)
  await makeFolder(folder)
  const files: [string, string][] = []
  for (const file of (await readdir(source)).sort())
    files.push([
      file,
      (await readFile(join(source, file), 'utf8')).replaceAll('__name__', name).replaceAll('__short__', short),
    ])
  files.push(['plugin.yaml', `$schema: plugin/1\nname: ${name}\nversion: 0.1.0\nneeds:\n  foundry: '>=0.1.0'\n`])
  if (kind !== 'style') files.push(['package.json', packageText(name)])
  for (const [file, text] of files) await replaceFile(join(folder, file), text)
  return files.map(([file]) => file).sort()
}

/** So that it can be published, and an editor finds the types once persona-foundry is installed. */
function packageText(name: string): string {
  const fields = {
    name: `foundry-${name}`,
    version: '0.1.0',
    type: 'module',
    main: 'index.js',
    keywords: ['foundry-plugin'],
    peerDependencies: { 'persona-foundry': '>=0.1.0' },
  }
  return `${JSON.stringify(fields, null, 2)}\n`
}
