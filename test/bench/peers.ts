import { type Figures, type RunOptions, quantile, round } from './bench.js'
import { installPeers } from './peers/install.js'
import { type ContestantName, contestantNames, type Outcome, race } from './peers/race.js'
import { type Scenario, scenarios } from './peers/scenarios.js'

/** These need nothing that is not here. */
const ownNames: readonly ContestantName[] = ['ours', 'one at a time per server']

/**
 * The foundry against public ComfyUI clients and a one-at-a-time client: the same servers, jobs, downloads and hashes, each in a
 * process of its own. What was rendered is told by the servers.
 */
export async function run({ scenarios: asked, rounds }: RunOptions): Promise<Figures> {
  const installed = await installPeers()
  const peers = 'folder' in installed ? installed.folder : undefined
  const chosen = scenarios.filter(({ name }) => asked.length === 0 || asked.includes(name))
  const outcomes: Outcome[] = []
  const rows: Record<string, string> = {}
  let isPassed = chosen.length > 0
  for (const [index, scenario] of chosen.entries()) {
    const racing = contestantsOf(scenario).filter(name => peers !== undefined || ownNames.includes(name))
    for (let at = 0; at < rounds; at++) {
      for (const name of rotate(racing, index + at)) outcomes.push(await race(name, scenario, peers ?? ''))
    }
    const own = outcomes.filter(each => each.scenario === scenario.name)
    rows[`${scenario.name}:`] = scenario.says
    for (const name of contestantsOf(scenario)) {
      const theirs = own.filter(each => each.contestant === name)
      rows[`${scenario.name} ${name}`] = theirs.length === 0 ? 'not installed' : describe(theirs, scenario)
    }
    const missed = missedBars(own, scenario)
    if (missed.length > 0) {
      isPassed = false
      rows[`${scenario.name} bars missed`] = missed.join('; ')
    }
  }
  if (chosen.length === 0) rows['no such scenario, but'] = scenarios.map(each => each.name).join(', ')
  if ('reason' in installed) rows['incomplete'] = `the other clients could not be installed: ${installed.reason}`
  return {
    question: 'the foundry and public ComfyUI clients, same servers and jobs',
    figures: rows,
    rows: outcomes.map(each => ({ ...each })),
    bar: 'A ≤ 1.15 × ideal with ≤ 20 switches; B, C, D ≤ 1.05 × ideal; ahead of each; every fault settles every job once',
    pass: isPassed && peers !== undefined,
  }
}

/** The two modes of the pool differ in how they share out, which says nothing about faults. */
function contestantsOf({ ratioMax }: Scenario): readonly ContestantName[] {
  return contestantNames.filter(name => ratioMax !== undefined || name !== 'ComfyPool round robin')
}

function rotate<Each>(list: readonly Each[], by: number): Each[] {
  const at = list.length === 0 ? 0 : by % list.length
  return [...list.slice(at), ...list.slice(0, at)]
}

function describe(outcomes: readonly Outcome[], { jobs, ratioMax }: Scenario): string {
  const times = outcomes.flatMap(({ makespanMs }) => makespanMs ?? [])
  const middle = (value: (outcome: Outcome) => number, digits = 2) => round(quantile(outcomes.map(value), 0.5), digits)
  const parts = outcomes.flatMap(({ trouble, pictures }) =>
    trouble === undefined ? [] : [`${trouble} at ${pictures} of ${jobs}`],
  )
  if (times.length > 0) parts.push(`${seconds(quantile(times, 0.5))} s${spread(times)}`)
  if (times.length > 0 && ratioMax !== undefined) parts.push(`${middle(ratioOf)} × ideal`)
  const switches = middle(each => each.switches, 0)
  if (switches > 0) parts.push(`${switches} switches`)
  parts.push(`${middle(each => each.renders, 0)} renders`, settling(outcomes, jobs))
  parts.push(`${middle(each => each.requests / jobs, 1)} requests/job`)
  if (times.length > 0) parts.push(`${middle(each => (each.cpuMs ?? 0) / 1000)} s CPU`)
  return parts.join(', ')
}

function spread(times: readonly number[]): string {
  return times.length < 2 ? '' : ` (${seconds(Math.min(...times))}–${seconds(Math.max(...times))})`
}

function settling(outcomes: readonly Outcome[], jobs: number): string {
  const worst = outcomes.find(each => !settlesOnce(each, jobs))
  if (!worst) return 'each once'
  const { pictures, failed, again, done } = worst
  const said = [`${pictures} of ${jobs} pictures`]
  if (failed > 0) said.push(`${failed} given up`)
  if (again > 0) said.push(`${again} rendered again`)
  if (done > pictures) said.push(`${done - pictures} told twice`)
  return said.join(', ')
}

/** Every picture is there, was rendered once by the servers that live, and told once. */
function settlesOnce({ trouble, pictures, again, done, failed }: Outcome, jobs: number): boolean {
  return trouble === undefined && pictures === jobs && again === 0 && done === jobs && failed === 0
}

function missedBars(outcomes: readonly Outcome[], { jobs, ratioMax, switchesMax }: Scenario): string[] {
  const ours = outcomes.filter(({ contestant }) => contestant === 'ours')
  const missed: string[] = []
  if (!ours.every(each => settlesOnce(each, jobs))) missed.push('every job once')
  if (ratioMax === undefined) return missed
  const ratio = quantile(ours.map(ratioOf), 0.5)
  if (!(ratio <= ratioMax)) missed.push(`${round(ratio, 3)} × ideal, not ${ratioMax}`)
  const switches = Math.max(...ours.map(each => each.switches))
  if (switchesMax !== undefined && switches > switchesMax) missed.push(`${switches} switches, not ${switchesMax}`)
  const others = contestantNames.filter(name => name !== 'ours')
  const ahead = others.filter(name => {
    const theirs = outcomes.filter(({ contestant }) => contestant === name)
    return theirs.length > 0 && medianMs(theirs) <= medianMs(ours)
  })
  if (ahead.length > 0) missed.push(`behind ${ahead.join(', ')}`)
  return missed
}

/** One that does not come to an end is behind every one that does. */
function medianMs(outcomes: readonly Outcome[]): number {
  return quantile(
    outcomes.map(({ makespanMs, trouble }) => (trouble === undefined ? (makespanMs ?? Infinity) : Infinity)),
    0.5,
  )
}

function ratioOf({ makespanMs = Number.NaN, idealMs }: Outcome): number {
  return makespanMs / idealMs
}

function seconds(ms: number): number {
  return round(ms / 1000)
}
