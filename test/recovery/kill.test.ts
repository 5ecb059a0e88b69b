import { join } from 'node:path'
import t from 'tap'
import { rampage } from './kill-daemon.js'

const seed = Number(process.env['FOUNDRY_TEST_SEED'] ?? 20_260_101)
const kills = 8
const slots = 100
const servers = 4
/** A journal of so few jobs; Node's own start is the larger part of it. */
const readyMsMax = 30_000

t.setTimeout(170_000)
t.test(`a daemon killed ${kills} times commits each of ${slots} pictures once, seed ${seed}`, async t => {
  const facts = await rampage({ folder: join(t.testdir(), 'kill'), seed, kills, slots, servers, jobMs: 150 })
  t.strictSame(facts.problems, [])
  t.equal(facts.done, slots)
  const { killed, renders, repeated, inFlight, attempts, readyMs, sinceMs } = facts
  t.ok(inFlight > 0, 'the kills hit jobs under way')
  t.ok(repeated <= inFlight, `${repeated} of ${inFlight} jobs that were under way at the kills were rendered again`)
  t.ok(readyMs < readyMsMax, `ready after ${Math.round(readyMs)} ms`)
  t.comment(`${killed} kills, ${renders} renders, ${attempts} attempts, ${Math.round(sinceMs / 1000)} s`)
  t.comment(
    `${repeated} rendered again of ${inFlight} under way; ready after ${Math.round(readyMs)} ms, at work ${facts.resumedMs ?? 0} ms later`,
  )
})
