import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { floodGood, floodMalformed } from '../daemon/flood.js'
import { pauseWriting } from '../daemon/pause-writing.js'

/** Malformed drops, a burst of 10,000, a writer that pauses for 5 s: `node dist/test/soak/intake.js [SEED]`. */
const seed = Number(process.argv[2] ?? Date.now() % 1_000_000)
const delayP99MsMax = 100
const folder = mkdtempSync(join(tmpdir(), 'foundry-soak-'))
const malformed = await floodMalformed(join(folder, 'malformed'), { bad: 2000, good: 20, seed })
const burst = await floodGood(join(folder, 'burst'), 10_000)
const readHalf = await pauseWriting(join(folder, 'paused'), { pauseMs: 5000, quietSeconds: 6 })
console.log(JSON.stringify({ soak: 'intake', seed, folder, malformed, burst, readHalf }, undefined, 2))
const isGood =
  malformed.unanswered.length === 0 &&
  malformed.runs === 20 &&
  burst.runs === 10_000 &&
  readHalf.length === 0 &&
  [malformed, burst].every(({ delayP99Ms }) => delayP99Ms <= delayP99MsMax)
if (isGood) rmSync(folder, { recursive: true })
else process.exitCode = 1
