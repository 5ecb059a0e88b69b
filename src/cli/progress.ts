import type { TimeRange } from '../farm/forecast-shapes.js'
import type { Job } from '../plan/job.js'
import { describeRange } from './describe-range.js'
import type { Terminal } from './terminal.js'

/** Live progress: one line on a terminal, otherwise a line whenever another tenth is done. */
export interface Progress {
  tick(job: Job, server: string, value: number, max: number): void
  /** With the time until the last one ends, where it is known. */
  counts(counts: readonly Record<string, number>[], endsIn?: TimeRange): void
  end(): void
}

const drawEveryMs = 80

export function watchProgress(terminal: Terminal): Progress {
  const begin = performance.now()
  const running = new Map<string, { slot: string; value: number; max: number }>()
  let total = 0
  let done = 0
  let failed = 0
  let drawnAt = 0
  let toldTenth = -1
  let end = ''

  function draw(): void {
    const seconds = Math.round((performance.now() - begin) / 1000)
    const now = [...running.values()].at(-1)
    const step = now ? ` · ${now.slot} ${now.value}/${now.max}` : ''
    const trouble = failed > 0 ? ` · ${failed} failed` : ''
    if (terminal.isLive) terminal.live(`${bar(done, total)} ${done}/${total}${trouble} · ${seconds} s${end}${step}`)
    else if (!terminal.isJson && total > 0 && Math.floor((done / total) * 10) > toldTenth) {
      toldTenth = Math.floor((done / total) * 10)
      terminal.note(`${done} of ${total} pictures${trouble} after ${seconds} s${end}`)
    }
  }

  return {
    tick(job, server, value, max) {
      running.delete(server)
      running.set(server, { slot: job.slot.id, value, max })
      if (performance.now() - drawnAt < drawEveryMs) return
      drawnAt = performance.now()
      draw()
    },
    counts(all, endsIn) {
      const sum = (state: string) => all.reduce((count, each) => count + (each[state] ?? 0), 0)
      total = sum('slots') - sum('skipped')
      done = sum('done')
      failed = sum('failed')
      end = endsIn && done < total ? ` · ends in ${describeRange(endsIn)}` : ''
      draw()
    },
    end() {
      terminal.live('')
    },
  }
}

function bar(done: number, total: number): string {
  const width = 24
  const full = total === 0 ? 0 : Math.round((done / total) * width)
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}`
}
