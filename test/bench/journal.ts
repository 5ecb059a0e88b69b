import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openJournal } from '../../src/record/journal.js'
import { type Figures, quantile, round } from './bench.js'

const seconds = 5
const eventsPerSecond = 2000

/** How long an event waits for its acknowledgement when 2,000 a second are offered, against the disk's own sync. */
export async function run(): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), 'foundry-bench-'))
  try {
    const sync = await syncMs(folder)
    const journal = await openJournal(join(folder, 'journal'), { epoch: 1, onRecord: () => undefined })
    const took: number[] = []
    const pending: Promise<void>[] = []
    const begin = performance.now()
    for (let at = 0; at < seconds * eventsPerSecond; at++) {
      const due = begin + (at * 1000) / eventsPerSecond
      if (due > performance.now() + 1) await sleep(due - performance.now())
      const before = performance.now()
      pending.push(
        journal.append([{ kind: 'attempt-leased', at, run: 'bench', slot: at, job: 'j'.repeat(27) }]).then(() => {
          took.push(performance.now() - before)
        }),
      )
    }
    await Promise.all(pending)
    await journal.close()
    const p95 = quantile(took, 0.95)
    return {
      question: `journal at ${eventsPerSecond} events/s offered: acknowledgement`,
      figures: { 'p50, ms': round(quantile(took, 0.5)), 'p95, ms': round(p95), 'one fdatasync, ms': round(sync) },
      bar: 'p95 ≤ 5 ms + 2 × one fdatasync',
      pass: p95 <= 5 + 2 * sync,
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function syncMs(folder: string): Promise<number> {
  const handle = await open(join(folder, 'sync'), 'w')
  const took: number[] = []
  for (let at = 0; at < 100; at++) {
    await handle.write('x'.repeat(512))
    const before = performance.now()
    await handle.datasync()
    took.push(performance.now() - before)
  }
  await handle.close()
  return quantile(took, 0.5)
}
