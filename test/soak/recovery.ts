import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rampage } from '../recovery/kill-daemon.js'
import { renderWith, serverFaults } from '../recovery/server-faults.js'

/** Many kills of a daemon, with several seeds, and every fault of a server at length: `node dist/test/soak/recovery.js [SEED]`. */
const seed = Number(process.argv[2] ?? Date.now() % 1_000_000)
const rounds = 5
const timesLonger = 5
const folder = mkdtempSync(join(tmpdir(), 'foundry-soak-'))
const tell = (facts: object) => console.log(JSON.stringify({ soak: 'recovery', ...facts }))
let isGood = true

for (let round = 0; round < rounds; round++) {
  const place = join(folder, `kill-${round}`)
  const { problems, done, killed, renders, sinceMs } = await rampage({
    folder: place,
    seed: seed + round,
    kills: 60,
    slots: 300,
    jobMs: 30,
  })
  tell({ seed: seed + round, killed, done, renders, seconds: Math.round(sinceMs / 1000), problems })
  if (problems.length === 0 && done === 300) rmSync(place, { recursive: true })
  else isGood = false
}

for (const [at, [title, fault]] of Object.entries(serverFaults).entries()) {
  const place = join(folder, `fault-${at}`)
  const slots = fault.slots * timesLonger
  const { code, facts } = await renderWith(place, { ...fault, slots })
  tell({ fault: title, code, done: facts.done, renders: facts.renders, problems: facts.problems })
  if (code === 0 && facts.problems.length === 0 && facts.done === slots) rmSync(place, { recursive: true })
  else isGood = false
}

if (isGood) rmSync(folder, { recursive: true })
else process.exitCode = 1
