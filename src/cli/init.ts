import { existsSync, statSync } from 'node:fs'
import { cp, readdir, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { isHome } from '../config/config.js'
import { packageRoot } from '../config/package-root.js'
import { failure } from '../errors.js'
import { makeFolder } from '../files/durable.js'
import { exitCodes } from './exit-codes.js'
import type { Terminal } from './terminal.js'

const configText = `# Persona Foundry. Every field: foundry schema config/1
# servers:
#   - { name: gpu1, url: http://127.0.0.1:8188 }
#   - { name: gpu2, url: https://gpu2.example/comfy, token: '\${GPU2_TOKEN}' }
#   - name: big
#     url: http://big:8188
#     depth: 1                              # jobs on it at once; usually 2, of which one runs
#     labels: [ 24gb ]                      # for "foundry render --label 24gb"
#     quietHours: [ mon-fri 08:00-18:00 ]   # no new jobs then, in local time
#     limits: { sdxl: 1 }                   # jobs at once by family, workflow or talent, on this server
# limits: { flux: 2 }                       # the same, on all servers together
# callFolders: [ ../outputs ]
# family: sd15
`

/** Makes a home, or fills up what an existing one lacks; nothing that is there is changed. */
export async function initHome(dir: string, terminal: Terminal, { examples }: { examples: boolean }): Promise<number> {
  const isKnown = isHome(dir)
  if (!isKnown) await checkEmpty(dir)
  const added = await fillHome(dir, examples)
  terminal.answer({ home: dir, isNew: !isKnown, added })
  terminal.say(isKnown ? `${dir} was a home already: ${listAdded(added)}\nNext:` : `${dir} is a home now. Next:`)
  terminal.say(`  cd ${dir}`)
  if (examples) terminal.say('  foundry render manifests/aurora.yaml --draft')
  terminal.say('  foundry doctor')
  return exitCodes.done
}

/** Hidden files do not count: a repository may be there first. */
async function checkEmpty(dir: string): Promise<void> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    const reason = error.code === 'ENOTDIR' ? 'it is not a folder' : (error.code ?? 'unreadable')
    throw failure('FILE_UNREADABLE', { file: dir, reason }, error)
  })
  if (names.every(name => name.startsWith('.'))) return
  throw failure('USAGE_INVALID', { problem: `${dir} is not empty and no home`, next: 'name an empty or a new folder' })
}

/** Of what was added to a home, this much is named. */
const addedNamedMax = 10

function listAdded(added: readonly string[]): string {
  if (added.length === 0) return 'nothing was missing.'
  const more = added.length - addedNamedMax
  return ['added', ...added.slice(0, addedNamedMax), ...(more > 0 ? [`and ${more} more`] : [])].join('\n  ')
}

/** Adds what a home lacks; with the examples that ship. Answers the files and folders that it made, under `dir`. */
export async function fillHome(dir: string, examples: boolean): Promise<string[]> {
  const added: string[] = []
  await makeFolder(dir)
  for (const folder of ['talents', 'manifests', 'workflows', 'runs', 'plugins']) {
    if (!existsSync(join(dir, folder))) added.push(`${folder}/`)
    await makeFolder(join(dir, folder))
    const isWanted = (source: string, target: string) => {
      const isOurs = examples || folder === 'workflows' || /README\.md$/.test(source) || source.endsWith(folder)
      const name = relative(dir, target)
      // What lies in a new folder is named with it.
      const isNew = !existsSync(target) && !added.some(each => each.endsWith('/') && name.startsWith(each))
      if (isOurs && isNew) added.push(statSync(source).isDirectory() ? `${name}/` : name)
      return isOurs
    }
    const source = join(packageRoot, folder)
    if (folder !== 'runs' && folder !== 'plugins' && existsSync(source)) {
      await cp(source, join(dir, folder), { recursive: true, force: false, filter: isWanted })
    }
  }
  const config = join(dir, 'foundry.yaml')
  if (!existsSync(config)) {
    await writeFile(config, configText)
    added.push('foundry.yaml')
  }
  return added
}
