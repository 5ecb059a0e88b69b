import { existsSync } from 'node:fs'
import { cp, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { packageRoot } from '../config/config.js'
import { failure } from '../errors.js'
import { makeFolder } from '../files/durable.js'
import { exitCodes } from './exit-codes.js'
import type { Terminal } from './terminal.js'

const configText = `# Persona Foundry. Every field: foundry schema config/1
# servers:
#   - { name: gpu1, url: http://127.0.0.1:8188 }
#   - { name: gpu2, url: https://gpu2.example/comfy, token: \${GPU2_TOKEN} }
# callFolders: [ ../outputs ]
# family: sd15
`

/** Makes a home, or fills up what an existing one lacks; nothing that is there is changed. */
export async function initHome(dir: string, terminal: Terminal, { examples }: { examples: boolean }): Promise<number> {
  if (existsSync(dir) && !existsSync(join(dir, 'foundry.yaml')) && (await readdir(dir)).length > 0) {
    throw failure('USAGE_INVALID', { problem: `${dir} is not empty and not a home`, next: 'choose another folder' })
  }
  await fillHome(dir, examples)
  terminal.answer({ home: dir })
  terminal.say(`A home lies in ${dir}. Next:`)
  terminal.say(`  cd ${dir}`)
  terminal.say(`  foundry render ${examples ? 'manifests/aurora.yaml' : 'manifests'} --draft`)
  terminal.say('  foundry doctor')
  return exitCodes.done
}

export async function fillHome(dir: string, examples: boolean): Promise<void> {
  await makeFolder(dir)
  for (const folder of ['talents', 'manifests', 'workflows', 'runs', 'plugins']) {
    await makeFolder(join(dir, folder))
    const isWanted = (source: string) => examples || /README\.md$/.test(source) || source.endsWith(folder)
    const source = join(packageRoot, folder)
    if (folder !== 'runs' && folder !== 'plugins' && existsSync(source)) {
      await cp(source, join(dir, folder), { recursive: true, force: false, filter: isWanted })
    }
  }
  const config = join(dir, 'foundry.yaml')
  if (!existsSync(config)) await writeFile(config, configText)
}
