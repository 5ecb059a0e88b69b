import { join, relative } from 'node:path'
import { loadConfig } from '../config/config.js'
import { fillHome } from './init.js'
import { render } from './render.js'
import type { Terminal } from './terminal.js'

/** The main job end to end on the embedded draft server: two example personas, in a home of their own. */
export async function runDemo(dir: string, terminal: Terminal, version: string): Promise<number> {
  await fillHome(dir, true)
  const config = await loadConfig({ home: dir, draft: true }, {}, version)
  const kit = join(dir, 'manifests', 'aurora.yaml')
  const call = join(dir, 'manifests', 'calls')
  terminal.note('Two personas, rendered as drafts by the embedded draft server over the ComfyUI protocol:')
  terminal.note('a persona kit with sliders, and a call folder with its persona_manifest.json.\n')
  const code = await render([kit, call], config, terminal, { submission: {}, isVerbose: false })
  const home = relative(process.cwd(), dir) || '.'
  terminal.say('')
  terminal.say('Each image lies beside its trace: <image>.trace.json. Look at a contact sheet first.')
  terminal.say('The same on a real ComfyUI (its models: workflows/README.md):')
  terminal.say(
    `  npx foundry render ${join(home, 'manifests', 'aurora.yaml')} --home ${home} --server http://127.0.0.1:8188`,
  )
  return code
}
