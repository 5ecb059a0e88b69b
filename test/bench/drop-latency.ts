import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { startDaemon } from '../daemon/start-daemon.js'
import { type Figures, makeHome, quantile, round, startDraft } from './bench.js'

const drops = 60

/** From the rename of a kit into the watched folder to its first job at a server, one drop after the other. */
export async function run(): Promise<Figures> {
  const draft = await startDraft({ jobMs: 1, prepared: true })
  const { home, remove } = await makeHome()
  const server = { name: 'draft', url: draft.url, options: { renderer: 'draft' } }
  const daemon = await startDaemon(home, { templates: ['hero-portrait'], servers: [server] }, { flags: {} })
  const events = new WebSocket(`${daemon.url.replace('http', 'ws')}/events`)
  try {
    await new Promise(resolve => events.once('open', resolve))
    const waits: number[] = []
    for (let at = 0; at < drops; at++) {
      const finished = seen(events, 'run-finished')
      const submitted = seen(events, 'attempt-submitted')
      const prepared = join(daemon.manifests, `.kit-${at}.json`)
      writeFileSync(prepared, JSON.stringify({ dot_id: `kit_${at}`, version: '1.0.0', description: `number ${at}` }))
      const begin = Date.now()
      renameSync(prepared, join(daemon.manifests, `kit-${at}.json`))
      waits.push((await submitted) - begin)
      await finished
    }
    const p95 = quantile(waits, 0.95)
    return {
      question: 'drop renamed into the watched folder → first job at a server',
      figures: {
        drops,
        'p50, ms': round(quantile(waits, 0.5), 0),
        'p95, ms': round(p95, 0),
        'longest, ms': round(Math.max(...waits), 0),
      },
      bar: 'p95 ≤ 150 ms',
      pass: p95 <= 150,
    }
  } finally {
    events.close()
    await daemon.kill()
    await draft.stop()
    await remove()
  }
}

/** Resolves with the time of the next event of a kind, in milliseconds since the epoch. */
function seen(events: WebSocket, kind: string): Promise<number> {
  return new Promise(resolve => {
    const look = (data: unknown) => {
      const { event } = JSON.parse(String(data)) as { event?: { kind: string; at: number } }
      if (event?.kind !== kind) return
      events.off('message', look)
      resolve(event.at)
    }
    events.on('message', look)
  })
}
