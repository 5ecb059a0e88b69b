import { readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { FoundryEvent } from '../../../src/record/events.js'
import { recordedEvents } from '../../../src/record/run-events.js'
import { runFiles } from '../../../src/record/run-folder.js'

const paused = (by: string): FoundryEvent => ({ kind: 'run-paused', at: 1, run: 'r', by })

t.test(
  'of the record of a run only lines with the text are parsed, and none is told where there is no record',
  async t => {
    const lines = [paused('ann'), paused('bo'), paused('ann')].map(each => JSON.stringify(each))
    const folder = t.testdir({ [runFiles.events]: ['{ torn', ...lines, ''].join('\n') })
    t.strictSame(await all(recordedEvents(folder, '"by":"ann"')), [paused('ann'), paused('ann')])
    t.strictSame(await all(recordedEvents(join(folder, 'none'), 'ann')), [])
  },
)

async function all(events: AsyncIterable<FoundryEvent>): Promise<FoundryEvent[]> {
  const told: FoundryEvent[] = []
  for await (const event of events) told.push(event)
  return told
}

const openFiles = '/proc/self/fd'

t.test(
  'who has found what it looks for leaves no file open, however long the record is',
  { skip: process.platform !== 'linux' },
  async t => {
    const line = JSON.stringify(paused('ann'))
    const folder = t.testdir({ [runFiles.events]: `${line}\n`.repeat(20_000) })
    for await (const event of recordedEvents(folder, 'ann')) {
      t.strictSame(event, paused('ann'))
      break
    }
    const isOpen = () => readdirSync(openFiles).some(name => linkOf(name) === join(folder, runFiles.events))
    for (let turns = 0; turns < 1000 && isOpen(); turns++) await new Promise(setImmediate)
    t.notOk(isOpen())
  },
)

function linkOf(name: string): string | undefined {
  try {
    return readlinkSync(join(openFiles, name))
  } catch {
    // That of the listing itself has gone.
    return undefined
  }
}
