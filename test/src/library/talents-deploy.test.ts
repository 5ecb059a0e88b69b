import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { deployKit } from '../../../src/library/talents-deploy.js'
import { readTalents } from '../../../src/library/talents.js'
import { makeLora } from '../../make-weights.js'
import { describedTalent } from './sample-talent.js'

const id = 'avatar.style.ink'

t.test('deployKit refuses a kit that vanishes meanwhile, and goes on', async t => {
  const dir = t.testdir({
    [id]: {
      'talent.json': JSON.stringify({ id, ...describedTalent }),
      'weights.safetensors': makeLora({ family: 'sd15', rank: 4, seed: 1 }),
    },
  })
  const { talents } = await readTalents([dir])
  const [talent] = talents
  if (!talent) return t.fail('the kit is read')
  const loras = join(dir, 'loras')
  mkdirSync(loras)
  rmSync(join(dir, id), { recursive: true })
  const placement = await deployKit(talent, loras, { isCopy: false, isDryRun: false })
  t.match(placement, { kit: id, state: 'refused', reason: /ENOENT/ })
  t.same(readdirSync(loras), [])
})
