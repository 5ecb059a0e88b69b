import { jobMaker } from '../../src/plan/make-job.js'
import { indexSlots, slotAt } from '../../src/plan/slots.js'
import { readRunFile } from '../../src/record/run-folder.js'
import { submit } from '../../src/operations/submit.js'
import { type Figures, makeHome, openAt, quantile, round, writeOrder } from './bench.js'

const slots = 100_000

/** A job made from a slot: bound, canonical, hashed. And what a plan of 100,000 slots keeps in memory. */
export async function run(): Promise<Figures> {
  const { home, remove } = await makeHome()
  const open = await openAt(home, ['http://127.0.0.1:9'])
  try {
    const { run: id, folder } = await submit(
      open.foundry,
      { path: await writeOrder(home, 'many', { count: slots }) },
      { by: 'bench', reach: 'machine' },
    )
    const { run: file } = await readRunFile(folder)
    const index = indexSlots(file.plan)
    const maker = jobMaker({
      run: id,
      plan: file.plan,
      dropSha256: '',
      models: [],
      privateTexts: new Map(),
      plugins: [],
    })
    globalThis.gc?.()
    const took: number[] = []
    const begin = performance.now()
    for (let ordinal = 0; ordinal < slots; ordinal++) {
      const slot = slotAt(index, ordinal)
      const before = performance.now()
      if (slot) maker.make(slot)
      took.push((performance.now() - before) * 1000)
    }
    const mean = ((performance.now() - begin) * 1000) / slots
    const residentMb = process.memoryUsage.rss() / 2 ** 20
    return {
      question: 'a job made from a slot (bind, canonical form, hash)',
      figures: {
        'mean, µs': round(mean, 1),
        'p95, µs': round(quantile(took, 0.95), 1),
        [`resident with ${slots} slots, MB`]: round(residentMb, 0),
      },
      bar: '≤ 200 µs; 100,000 slots ≤ 200 MB resident',
      pass: mean <= 200 && residentMb <= 200,
    }
  } finally {
    await open.close(0)
    await remove()
  }
}
