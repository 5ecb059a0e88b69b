// Appends numbered events to the journal in the folder of its argument until it is killed, in several appends at once.
// Says each number on a line of its own once it is acknowledged.
import { writeSync } from 'node:fs'
import { openJournal } from '../../../src/record/journal.js'

const journal = await openJournal(process.argv[2] ?? '', { epoch: 1, segmentSizeBytes: 20_000, onRecord() {} })
let number = Number(process.argv[3])

async function appendForever(): Promise<never> {
  for (;;) {
    const mine = number++
    await journal.append([{ number: mine, filler: 'x'.repeat(mine % 300) }])
    writeSync(1, `${mine}\n`)
  }
}
await Promise.all([appendForever(), appendForever(), appendForever()])
