import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { fillHome } from '../../../src/cli/init.js'
import { loadConfig } from '../../../src/config/config.js'
import { openFoundry } from '../../../src/daemon.js'
import { submit } from '../../../src/operations/submit.js'
import { makeLora } from '../../make-weights.js'
import { describedTalent } from '../../src/library/sample-talent.js'
import type { Contestant, Task } from './contestant.js'
import { pictureSize, type RaceJob } from './scenarios.js'

const styleOf = (lora: number) => `avatar.style.bench${lora}`
const orderPath = (folder: string) => join(folder, 'manifests', 'race.json')

/** The foundry itself: a home with talents and personas, an order, a run. */
export const ours: Contestant = async task => {
  const { folder, jobs } = task
  await makeRaceHome(task)
  const config = await loadConfig({ home: folder }, {}, '0.0.0-bench')
  const open = await openFoundry(config, { log: pino({ level: 'silent' }) })
  const { ledger, farm, shelf } = open.foundry
  await farm.look()
  await farm.start()
  // As the daemon does before it takes the first drop.
  await shelf()
  return {
    async run(told) {
      const settled = new Promise<void>(resolve => {
        let done = 0
        ledger.listen(event => {
          if (event.kind === 'slot-done') told('done')
          if (event.kind === 'slot-failed' || event.kind === 'slot-held') told('failed')
          // Contact sheet and report come after the last picture, and are no part of the race.
          if (event.kind === 'run-finished' || (event.kind === 'slot-done' && ++done === jobs.length)) resolve()
        })
      })
      await submit(open.foundry, { path: orderPath(folder) }, { by: 'bench', reach: 'machine' })
      await settled
    },
    close: () => open.close(0),
  }
}

/** Where every job has a LoRA, it is a character of its own, with one of the styles; otherwise all are pictures of one character. */
async function makeRaceHome({ urls, jobs, folder }: Task): Promise<void> {
  await fillHome(folder, false)
  const servers = urls.map((url, at) => ({ name: `server-${at + 1}`, url, depth: 2, graceSeconds: 2 }))
  await writeFile(join(folder, 'foundry.yaml'), JSON.stringify({ servers }))
  const plugin = join(folder, 'plugins', 'bench')
  await mkdir(plugin, { recursive: true })
  const template = {
    id: 'race',
    title: 'Race',
    subject: 'persona',
    views: [{ id: 'front' }],
    sizes: { sd15: pictureSize },
  }
  await writeFile(join(plugin, 'race.template.yaml'), JSON.stringify(template))
  const loras = [...new Set(jobs.flatMap(({ lora }) => lora ?? []))].sort((one, other) => one - other)
  const sliders = Object.fromEntries(
    loras.map(lora => [
      `bench${lora}`,
      { left: { label: 'Without' }, right: { label: `Style ${lora}`, talent: styleOf(lora) } },
    ]),
  )
  await writeFile(join(plugin, 'style.yaml'), JSON.stringify({ name: 'bench', sliders }))
  for (const lora of loras) await writeTalent(join(folder, 'talents', 'avatar', styleOf(lora)), lora)
  await writeDrops(folder, jobs)
}

async function writeDrops(folder: string, jobs: readonly RaceJob[]): Promise<void> {
  const isStyled = jobs.some(({ lora }) => lora !== undefined)
  const kits = (isStyled ? jobs : jobs.slice(0, 1)).map(({ id, lora }) => ({
    dot_id: `racer${id}`,
    version: '1.0.0',
    description: 'a young ranger with short silver hair and a long teal coat',
    ...(lora !== undefined && { sliders: { [`bench${lora}`]: 1 } }),
  }))
  const kitFolder = join(folder, 'manifests', 'kits')
  await mkdir(kitFolder, { recursive: true })
  for (const kit of kits) await writeFile(join(kitFolder, `${kit.dot_id}.json`), JSON.stringify(kit))
  const order = {
    name: 'race',
    personas: kits.map(({ dot_id: id }) => `kits/${id}.json`),
    templates: ['race'],
    count: jobs.length / kits.length,
    seed: 1,
  }
  await writeFile(orderPath(folder), JSON.stringify(order))
}

async function writeTalent(folder: string, lora: number): Promise<void> {
  await mkdir(folder, { recursive: true })
  const talent = { id: styleOf(lora), ...describedTalent }
  await writeFile(join(folder, 'talent.json'), JSON.stringify(talent))
  await writeFile(join(folder, 'weights.safetensors'), makeLora({ family: 'sd15', rank: 4, seed: 100 + lora }))
}
