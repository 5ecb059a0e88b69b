import { join } from 'node:path'
import t from 'tap'
import { rampage } from './kill-daemon.js'

const seed = Number(process.env['FOUNDRY_TEST_SEED'] ?? 20_260_101)
const kills = 20
const slots = 300

t.setTimeout(240_000)
t.test(`a daemon killed ${kills} times commits each of ${slots} pictures once, seed ${seed}`, async t => {
  const facts = await rampage({ folder: join(t.testdir(), 'kill'), seed, kills, slots, jobMs: 30 })
  t.strictSame(facts.problems, [])
  t.equal(facts.done, slots)
  const { killed, renders, attempts, sinceMs } = facts
  t.comment(`${killed} kills, ${renders} renders, ${attempts} attempts, ${Math.round(sinceMs / 1000)} s`)
})
