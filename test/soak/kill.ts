import { mkdirSync } from 'node:fs'
import { crashPoints } from '../../src/files/failpoint.js'
import { checkHome } from '../recovery/check-home.js'
import { freezeDaemon } from '../recovery/freeze.js'
import { rampage } from '../recovery/kill-daemon.js'
import { makeHome } from '../recovery/make-home.js'
import { cutPower, recordDisk } from '../recovery/power-loss.js'
import { foundry, rendersOf, startDraft } from '../recovery/processes.js'
import { beginSoak } from './begin.js'

/** Kills at random and at every named step, a long standstill, and many power losses: `node dist/test/soak/kill.js [SEED]`. */
const soak = beginSoak('kill')
const timesEach = 10
const frozenMs = 120_000
const recordings = 5

const facts = await rampage({
  folder: soak.place('kills'),
  seed: soak.seed,
  kills: 100,
  slots: 1000,
  servers: 8,
  jobMs: 250,
})
const { killed, done, renders, repeated, inFlight, readyMs, resumedMs, problems } = facts
const isWhole = problems.length === 0 && done === 1000 && repeated <= inFlight
soak.tell('kills', isWhole, { killed, done, renders, repeated, inFlight, readyMs, resumedMs, problems })

for (const point of crashPoints) {
  const found: string[] = []
  const place = soak.place(point)
  for (let time = 1; time <= timesEach; time++)
    found.push(...(await crashAt(`${place}/${time}`, `${point}=kill@${time}`)))
  soak.tell(point, found.length === 0, { crashes: timesEach, problems: found })
}

const frozen = await freezeDaemon(soak.place('frozen'), { slots: 60, jobMs: 1500, frozenMs, depth: 8 })
const stoodWell = frozen.problems.length === 0 && frozen.done === 60 && frozen.refusals.every(({ code }) => code === 2)
soak.tell('frozen', stoodWell && frozen.ended.length === 0, {
  frozenMs,
  renders: frozen.renders,
  refusals: frozen.refusals.length,
  finishedMeanwhile: frozen.finishedMeanwhile,
  problems: frozen.problems,
})

for (let round = 0; round < recordings; round++) {
  const place = soak.place(`power-${round}`)
  const draft = await startDraft(`${place}/ledger.jsonl`, { faults: { prepared: true, jobMs: 10 } })
  const home = `${place}/home`
  const order = makeHome(home, { slots: 12, serverUrl: draft.url, seeds: seedsOf(soak.seed + round, 12) })
  const recording = await recordDisk(place, { mode: 'render', folder: home, order })
  const options = { folder: home, seed: soak.seed + round, every: 1, journal: '.foundry/journal', isHome: true }
  const recover = async () => {
    const command = foundry(['render', order, '--home', home])
    const code = await command.ended
    const { problems, done } = await checkHome(home)
    return code === 0 && done === 12 ? problems : [...problems, `ended with ${code}: ${command.stderr()}`]
  }
  const { losses, told, problems } = await cutPower(recording, { ...options, recover, recoverEvery: 97 })
  soak.tell(`power-${round}`, problems.length === 0, { losses, told, problems: problems.slice(0, 20) })
  await draft.kill()
}
soak.end()

async function crashAt(place: string, failpoints: string): Promise<string[]> {
  const home = `${place}/home`
  mkdirSync(place, { recursive: true })
  const draft = await startDraft(`${place}/ledger.jsonl`, { faults: { prepared: true, jobMs: 10 } })
  try {
    const order = makeHome(home, { slots: 12, serverUrl: draft.url, composites: failpoints.startsWith('composite') })
    await foundry(['render', order, '--home', home], { FOUNDRY_FAILPOINTS: failpoints }).ended
    const end = foundry(['render', order, '--home', home])
    const code = await end.ended
    const renders = rendersOf(draft.ledgerFile)
    const { problems, done } = await checkHome(home, { renders, extraRenders: 'in flight' })
    const said = [
      ...problems,
      ...(code === 0 && done === 12 ? [] : [`${done} done, ended with ${code}: ${end.stderr()}`]),
    ]
    return said.map(each => `${failpoints}: ${each}`)
  } finally {
    await draft.kill()
  }
}

function seedsOf(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => from * 1000 + at)
}
