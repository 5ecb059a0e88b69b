import t from 'tap'
import { EventQueue } from '../../../plugins/provider-comfyui/event-queue.js'
import type { RenderEvent } from '../../../src/plugins/contract.js'

t.test('a slow reader of an EventQueue gets the newest progress and preview, and everything else', async t => {
  const queue = new EventQueue()
  const preview = (text: string): RenderEvent => ({ kind: 'preview', mime: 'image/png', bytes: Buffer.from(text) })
  queue.push({ kind: 'started', at: 1 })
  for (let value = 1; value <= 100; value++) {
    queue.push({ kind: 'progress', value, max: 100 })
    queue.push(preview(String(value)))
  }
  queue.push({ kind: 'finished', outputs: [], timings: {} })
  queue.end()
  const events = []
  for await (const event of queue.read()) events.push(event)
  t.same(events, [
    { kind: 'started', at: 1 },
    { kind: 'progress', value: 100, max: 100 },
    preview('100'),
    { kind: 'finished', outputs: [], timings: {} },
  ])
})
