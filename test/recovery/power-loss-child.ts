import { pino } from 'pino'
import { loadConfig } from '../../src/config/config.js'
import { openFoundry } from '../../src/daemon.js'
import { submit } from '../../src/operations/submit.js'
import { openJournal } from '../../src/record/journal.js'
import { note } from './record-disk.js'

/**
 * What is recorded: `render HOME ORDER`, or `journal FOLDER` with small segments, several starts and a snapshot. Each record is noted once
 * it is answered to be durable.
 */
const [mode, folder = '', order = ''] = process.argv.slice(2)
await (mode === 'render' ? render() : writeJournals())

async function render(): Promise<void> {
  const config = await loadConfig({ home: folder }, {}, '0.0.0-test')
  const open = await openFoundry(config, { log: pino({ level: 'silent' }) })
  const { ledger, farm } = open.foundry
  let tell: () => void = () => undefined
  const finished = new Promise<void>(resolve => {
    tell = resolve
  })
  ledger.listen((event, sequence) => {
    note({ op: 'told', sequence, event })
    if (event.kind === 'run-finished') tell()
  })
  await farm.look()
  await submit(open.foundry, { path: order }, { by: 'test', reach: 'machine' })
  await farm.start()
  await finished
  await open.close(0)
}

async function writeJournals(): Promise<void> {
  for (let start = 0; start < 4; start++) {
    const hooks = { onRecord: () => undefined, onSnapshot: () => undefined }
    const journal = await openJournal(folder, { epoch: start + 1, segmentSizeBytes: 600, ...hooks })
    for (let at = 0; at < 12; at++) {
      const event = { start, at, words: 'é'.repeat(at) }
      note({ op: 'told', sequence: await journal.append([event]), event })
    }
    if (start > 0) await journal.snapshot({ start }, journal.sequence)
    await journal.close()
  }
}
