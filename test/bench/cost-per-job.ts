import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import type { OpenFoundry } from '../../src/daemon.js'
import { submit } from '../../src/operations/submit.js'
import { type Figures, finished, makeHome, openAt, round, startDraft, writeOrder } from './bench.js'

const jobs = 1200

/** What a job costs on the main thread, and all CPU against one hash, one decoding and one thumbnail of the same files. */
export async function run(): Promise<Figures> {
  const draft = await startDraft({ jobMs: 0, prepared: true })
  const { home, remove } = await makeHome()
  const open = await openAt(home, [draft.url])
  try {
    await open.foundry.farm.look()
    await open.foundry.farm.start()
    const warm = await submit(
      open.foundry,
      { path: await writeOrder(home, 'warm', { count: 200 }) },
      { by: 'bench', reach: 'machine' },
    )
    await finished(open, warm.run)
    const path = await writeOrder(home, 'many', { count: jobs, seed: 1 })
    const mainBefore = mainThreadMs()
    const cpuBefore = process.cpuUsage()
    const { run: id, folder } = await submit(open.foundry, { path }, { by: 'bench', reach: 'machine' })
    await allDone(open, id)
    const mainMs = (mainThreadMs() - mainBefore) / jobs
    const cpu = process.cpuUsage(cpuBefore)
    await finished(open, id)
    const ours = (cpu.user + cpu.system) / 1000
    const floor = await floorMs(join(folder, 'images', 'aurora'))
    return {
      question: `CPU per job up to its commit, ${jobs} prepared pictures of 512×768`,
      figures: {
        'main thread, ms/job': round(mainMs),
        'all CPU, ms/job': round(ours / jobs),
        'hash + decode + thumbnail, ms/job': round(floor / jobs),
        ratio: round(ours / floor),
        'main thread ÷ hash + decode + thumbnail': round((mainMs * jobs) / floor),
      },
      bar: 'main thread ≤ 2 ms; all CPU ≤ 1.3 × hash + decode + thumbnail',
      pass: mainMs <= 2 && ours / floor <= 1.3,
    }
  } finally {
    await open.close(0)
    await draft.stop()
    await remove()
  }
}

/** CPU of the thread that runs the event loop, as the scheduler counts it. Linux only. */
function mainThreadMs(): number {
  const [ranNs = ''] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')
  return Number(ranNs) / 1_000_000
}

/** Every slot is committed; the contact sheet is still to come. */
async function allDone({ foundry }: OpenFoundry, id: string): Promise<void> {
  const run = foundry.ledger.state.runs.get(id)
  while (run && run.counts.done < jobs) await new Promise(resolve => setTimeout(resolve, 50))
}

async function floorMs(folder: string): Promise<number> {
  const files = (await readdir(folder)).filter(name => name.endsWith('.png'))
  const before = process.cpuUsage()
  for (const name of files) {
    const bytes = await readFile(join(folder, name))
    createHash('sha256').update(bytes).digest()
    const { data, info } = await sharp(bytes).ensureAlpha().raw().toBuffer({ resolveWithObject: true })
    await sharp(data, { raw: info }).resize(320, 320, { fit: 'inside' }).webp().toBuffer()
  }
  const used = process.cpuUsage(before)
  return (used.user + used.system) / 1000
}
