import t from 'tap'
import { chooseLoraName } from '../../../plugins/provider-comfyui/lora-names.js'
import { toShelf } from '../../../plugins/provider-comfyui/shelf.js'
import { makeLora } from './make-job.js'

const hashed = 'ink-0123456789ab'
type Case = [files: Record<string, number | undefined>, aliases: Record<string, string>, expected: string]

const cases: Record<string, Case> = {
  'the file called after the talent, in any folder': [{ 'style\\ink.safetensors': 255 }, {}, 'style\\ink.safetensors'],
  'a file whose size is not told': [{ 'ink.pt': undefined }, {}, 'ink.pt'],
  'the one whose size agrees': [
    { 'old/ink.safetensors': 9, 'ink.safetensors': undefined, 'new/ink.safetensors': 255 },
    {},
    'new/ink.safetensors',
  ],
  'the one called after its hash': [
    { 'ink.safetensors': 9, [`${hashed}.safetensors`]: 255 },
    {},
    `${hashed}.safetensors`,
  ],
  'the one called after its hash before one of the same size that may be of an earlier training': [
    { 'ink.safetensors': 255, [`a/${hashed}.safetensors`]: undefined },
    {},
    `a/${hashed}.safetensors`,
  ],
  'no file called after its hash whose size differs': [
    { 'ink.safetensors': 255, [`${hashed}.safetensors`]: 9 },
    {},
    'ink.safetensors',
  ],
  'the alias first of all': [{ 'ink.safetensors': 255, 'a\\b.pt': 255 }, { ink: 'a/b.pt' }, 'a\\b.pt'],
  'no other version of the weights': [{ 'ink.safetensors': 9 }, {}, 'COMFYUI_LORA_MISSING'],
  'no file of another name': [{ 'inkling.safetensors': 255 }, {}, 'COMFYUI_LORA_MISSING'],
  'no alias to an absent file': [{ 'ink.safetensors': 255 }, { ink: 'gone.pt' }, 'COMFYUI_LORA_ALIAS_INVALID'],
  'no alias to other weights': [{ 'a.pt': 9 }, { ink: 'a.pt' }, 'COMFYUI_LORA_ALIAS_INVALID'],
}
for (const [title, [files, aliases, expected]] of Object.entries(cases)) {
  t.test(`chooseLoraName takes ${title}`, async t => {
    const told = Object.entries(files).flatMap(([name, size]) =>
      size === undefined ? [] : [[name.replaceAll('\\', '/'), size] as const],
    )
    const chosen = chooseLoraName(makeLora(), toShelf(Object.keys(files), new Map(told)), aliases)
    t.equal('name' in chosen ? chosen.name : chosen.problem.code, expected)
  })
}
