import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { submit } from '../../src/operations/submit.js'
import { type Figures, finished, makeHome, openAt, round, startDraft, writeOrder } from './bench.js'

const jobs = 60
const jobMs = 200

/** How much longer than the bare rendering a run takes on one server, and how a client that does one thing at a time compares. */
export async function run(): Promise<Figures> {
  const ours = await renderWithFoundry()
  const naive = await renderOneAtATime()
  return {
    question: `makespan ÷ service seconds, one server, ${jobs} jobs of ${jobMs} ms`,
    figures: {
      ours: round(ours.ratio, 3),
      'one at a time': round(naive.ratio, 3),
      'ours, s': round(ours.makespanMs / 1000),
      'one at a time, s': round(naive.makespanMs / 1000),
    },
    bar: '≤ 1.03, ahead of one at a time',
    pass: ours.ratio <= 1.03 && ours.makespanMs < naive.makespanMs,
  }
}

async function renderWithFoundry(): Promise<{ makespanMs: number; ratio: number }> {
  const draft = await startDraft({ jobMs, prepared: true })
  const { home, remove } = await makeHome()
  const open = await openAt(home, [draft.url])
  try {
    await open.foundry.farm.look()
    await open.foundry.farm.start()
    const warm = await submit(
      open.foundry,
      { path: await writeOrder(home, 'warm', { count: 2 }) },
      { by: 'bench', reach: 'machine' },
    )
    await finished(open, warm.run)
    const path = await writeOrder(home, 'many', { count: jobs, seed: 1 })
    const begin = performance.now()
    let lastImageAt = begin
    open.foundry.ledger.listen(event => {
      if (event.kind === 'slot-done') lastImageAt = performance.now()
    })
    const { run: id } = await submit(open.foundry, { path }, { by: 'bench', reach: 'machine' })
    await finished(open, id)
    const makespanMs = lastImageAt - begin
    const entries = (await draft.ledger()).slice(2)
    const serviceMs = entries.reduce((sum, entry) => sum + entry.serviceMs, 0)
    return { makespanMs, ratio: makespanMs / serviceMs }
  } finally {
    await open.close(0)
    await draft.stop()
    await remove()
  }
}

/** What many scripts do: post, wait for the history, fetch, hash, then the next one. */
async function renderOneAtATime(): Promise<{ makespanMs: number; ratio: number }> {
  const draft = await startDraft({ jobMs, prepared: true })
  try {
    const begin = performance.now()
    for (let job = 0; job < jobs; job++) await renderNaively(draft.url, job)
    const makespanMs = performance.now() - begin
    const serviceMs = (await draft.ledger()).reduce((sum, entry) => sum + entry.serviceMs, 0)
    return { makespanMs, ratio: makespanMs / serviceMs }
  } finally {
    await draft.stop()
  }
}

async function renderNaively(url: string, job: number): Promise<void> {
  const graph = {
    '1': { class_type: 'EmptyImage', inputs: { width: 512, height: 768, batch_size: 1, color: 255 } },
    '2': { class_type: 'ImageAddNoise', inputs: { image: ['1', 0], seed: job, strength: 0.5 } },
    '3': { class_type: 'SaveImage', inputs: { images: ['2', 0], filename_prefix: `naive/${job}` } },
  }
  const posted = await fetch(`${url}/prompt`, {
    method: 'POST',
    body: JSON.stringify({ prompt: graph, client_id: 'naive' }),
  })
  const { prompt_id: id } = (await posted.json()) as { prompt_id: string }
  for (;;) {
    const history = (await (await fetch(`${url}/history/${id}`)).json()) as Record<
      string,
      { outputs: Record<string, { images: Record<string, string>[] }> }
    >
    const image = history[id]?.outputs['3']?.images[0]
    if (image) {
      const bytes = await (await fetch(`${url}/view?${new URLSearchParams(image)}`)).arrayBuffer()
      createHash('sha256').update(new Uint8Array(bytes)).digest()
      return
    }
    await sleep(20)
  }
}
