import { submit } from '../../src/operations/submit.js'
import type { FoundryEvent } from '../../src/record/events.js'
import { type Figures, makeHome, openAt, quantile, round, startDraft, writeOrder } from './bench.js'
import { createApi } from '../../src/api/server.js'
import { createEventHub } from '../../src/api/events.js'
import { watchDelay } from '../../src/api/metrics.js'

const slots = 100_000

export async function run(): Promise<Figures> {
  const { openedMs, firstMs, statusMs } = await measureRestart(slots)
  return {
    question: 'restart with 100,000 jobs, half done; status under that load',
    figures: {
      'replayed after, ms': round(openedMs, 0),
      'first dispatch after, ms': round(firstMs, 0),
      'status p95, ms': round(quantile(statusMs, 0.95)),
    },
    bar: 'first dispatch ≤ 2 s; status p95 ≤ 20 ms',
    pass: firstMs <= 2000 && quantile(statusMs, 0.95) <= 20,
  }
}

/** From the start of the process' work to the first job at a server, with a journal of so many jobs, half of them done. */
export async function measureRestart(
  slots: number,
): Promise<{ openedMs: number; firstMs: number; statusMs: number[] }> {
  const draft = await startDraft({ jobMs: 200, prepared: true })
  const { home, remove } = await makeHome()
  try {
    await fill(home, draft.url, slots)
    const begin = performance.now()
    const open = await openAt(home, [draft.url])
    const openedMs = performance.now() - begin
    const submitted = new Promise<number>(resolve => {
      open.foundry.ledger.listen(event => {
        if (event.kind === 'attempt-submitted') resolve(performance.now() - begin)
      })
    })
    await open.foundry.farm.start()
    const firstMs = await submitted
    const statusMs = await askStatus(open.foundry)
    await open.close(0)
    return { openedMs, firstMs, statusMs }
  } finally {
    await draft.stop()
    await remove()
  }
}

async function askStatus(foundry: Parameters<typeof createApi>[0]['foundry']): Promise<number[]> {
  const api = await createApi({
    foundry,
    events: createEventHub(foundry.ledger),
    delay: watchDelay(),
    token: undefined,
    isReady: () => true,
  })
  const url = await api.listen({ host: '127.0.0.1', port: 0 })
  const took: number[] = []
  for (let at = 0; at < 200; at++) {
    const before = performance.now()
    await (await fetch(`${url}/status`)).text()
    took.push(performance.now() - before)
  }
  await api.close()
  return took
}

/** A journal as 50,000 rendered pictures leave it; the pictures themselves are not needed to start. */
async function fill(home: string, url: string, slots: number): Promise<void> {
  const open = await openAt(home, [url])
  await open.foundry.farm.look()
  const { run: id } = await submit(
    open.foundry,
    { path: await writeOrder(home, 'many', { count: slots }) },
    { by: 'bench', reach: 'machine' },
  )
  const hash = 'a'.repeat(64)
  for (let from = 0; from < slots / 2; from += 1000) {
    const events: FoundryEvent[] = []
    for (let slot = from; slot < from + 1000; slot++) {
      const at = Date.now()
      const attempt = { at, run: id, slot, attempt: 1 }
      events.push({
        kind: 'attempt-leased',
        ...attempt,
        job: `j${slot}`,
        server: 'server-1',
        promptId: hash.slice(0, 36),
      })
      events.push({ kind: 'attempt-submitted', ...attempt, submittedSha256: hash })
      const file = `images/aurora/hero-portrait-${String(slot + 1).padStart(4, '0')}.png`
      events.push({
        kind: 'slot-done',
        ...attempt,
        file,
        sha256: hash,
        traceSha256: hash,
        renderHash: `${slot}${hash}`.slice(0, 64),
        sizeBytes: 1,
      })
    }
    await open.foundry.ledger.append(...events)
  }
  await open.close(0)
}
