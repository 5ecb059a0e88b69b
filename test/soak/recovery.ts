import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rampage } from '../recovery/kill-daemon.js'

/** 60 kills at random moments of a run of 300 pictures: `node dist/test/soak/recovery.js [SEED]`. */
const seed = Number(process.argv[2] ?? Date.now() % 1_000_000)
const folder = mkdtempSync(join(tmpdir(), 'foundry-soak-'))
const {
  journal: _journal,
  traces: _traces,
  ...facts
} = await rampage({ folder, seed, kills: 60, slots: 300, jobMs: 30 })
console.log(JSON.stringify({ soak: 'kill', seed, folder, ...facts }, undefined, 2))
if (facts.problems.length > 0 || facts.done !== 300) process.exitCode = 1
else rmSync(folder, { recursive: true })
