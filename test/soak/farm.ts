import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { quantile } from '../bench/bench.js'
import type { ExpectedAct } from '../recovery/check-acts.js'
import { checkHome } from '../recovery/check-home.js'
import { makeHome, writeOrder } from '../recovery/make-home.js'
import { type Draft, randomNumbers, rendersOf, startDaemon, startDraft } from '../recovery/processes.js'
import { apiUrlOf, toldCounts } from '../recovery/told-counts.js'
import { beginSoak } from './begin.js'

/**
 * A daemon on real servers for some minutes: orders come, storms cancel half of all runs, priorities change, and what has ended is
 * removed: `node dist/test/soak/farm.js [SEED [MINUTES]]`.
 */
const soak = beginSoak('farm')
const servers = 6
const slotsEach = 150
const runsMax = 20
const stormEvery = 12
const weightMax = 90
const listP95MsMax = 200
const slopeMbPerHourMax = 5
/** Before, memory is still filled with what stays; over less than an hour, the slope is noise. */
const warmUpShare = 0.25
const looksPerMinute = 6
/** Of as many minutes the least counts: memory comes down to what is held once in a while, and is above it by chance. */
const floorMinutes = 5
const slopeMinutesMin = 60

interface Run {
  run: string
  state: string
}

const place = soak.place('storms')
const home = `${place}/home`
const random = randomNumbers(soak.seed)
const drafts: Draft[] = []
for (let at = 1; at <= servers; at++)
  drafts.push(await startDraft(`${place}/gpu${at}.jsonl`, { faults: { prepared: true, jobMs: 400 } }))
makeHome(home, { slots: 0, servers: drafts.map(({ url }, at) => ({ name: `gpu${at + 1}`, url })) })
// As the systemd unit starts it, but that its garbage is collected at known times.
const flags = ['--expose-gc', '--import', new URL('collect-garbage.js', import.meta.url).href]
const memoryFile = `${place}/memory.jsonl`
const malloc = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' }
const daemon = await startDaemon(home, { ...malloc, FOUNDRY_SOAK_MEMORY: memoryFile }, flags)
const url = apiUrlOf(home)
const acts: ExpectedAct[] = []
const listMs: number[] = []
const weights = new Map<string, number>()
const counts = { orders: 0, cancelled: 0, changed: 0, removed: 0 }
const begin = performance.now()
const minute = () => (performance.now() - begin) / 60_000

for (let turn = 1; minute() < soak.minutes; turn++) {
  const runs = await list()
  const open = runs.filter(({ state }) => !isEnded(state))
  if (open.length < runsMax) writeOrder(home, `order-${++counts.orders}`, slotsEach, soak.seed + counts.orders)
  if (turn % stormEvery === 0)
    for (const { run } of open.filter(() => random(2) === 0))
      counts.cancelled += await act('run-cancelled', run, 'POST', 'cancel')
  const changed = open[random(open.length)]
  // That of a new run is 1, and the same again would be no act.
  const weight = 2 + (turn % weightMax)
  if (changed && weights.get(changed.run) !== weight) {
    weights.set(changed.run, weight)
    counts.changed += await act('run-changed', changed.run, 'POST', 'priority', { weight })
  }
  for (const { run, state } of runs)
    if (['done', 'cancelled'].includes(state)) counts.removed += await act('run-removed', run, 'DELETE', '')
  await sleep(2000)
}
for (const { run, state } of await list()) if (!isEnded(state)) await act('run-cancelled', run, 'POST', 'cancel')
while ((await list()).some(({ state }) => !isEnded(state))) await sleep(200)
const told = await toldCounts(home)
const memory = readMemory(memoryFile)
// The snapshot of a long soak replaces the events of acts, and keeps the audit.
const { total: audited } = (await (await fetch(`${url}/audit?limit=1`)).json()) as { total: number }
daemon.child.kill('SIGTERM')
const code = await daemon.ended
const renders = drafts.flatMap(({ ledgerFile }) => rendersOf(ledgerFile))
const { problems, attempts } = await checkHome(home, { renders, extraRenders: Infinity, told })
for (const draft of drafts) await draft.kill()

const settled = memory.filter(({ minute }) => minute >= soak.minutes * warmUpShare)
const slope = slopeOf(floorsOf(settled)) * 60
const isFlat = soak.minutes < slopeMinutesMin || slope <= slopeMbPerHourMax
const listP95Ms = quantile(listMs, 0.95)
soak.tell(
  'storms',
  code === 0 && problems.length === 0 && audited === acts.length + counts.orders && listP95Ms <= listP95MsMax && isFlat,
  {
    ...counts,
    acts: acts.length,
    audited,
    renders: renders.length,
    attempts,
    listP95Ms,
    residentMb: memory.map(({ mb }) => Math.round(mb)),
    heapMb: memory.map(({ heapMb }) => Math.round(heapMb)),
    slopeMbPerHour: slope,
    problems: problems.slice(0, 20),
  },
)
soak.end()

function isEnded(state: string): boolean {
  return ['done', 'failed', 'cancelled'].includes(state)
}

async function list(): Promise<Run[]> {
  const from = performance.now()
  const answer = (await (await fetch(`${url}/runs?limit=1000`)).json()) as { runs: Run[] }
  listMs.push(performance.now() - from)
  return answer.runs
}

/** 1 when the foundry did it. One that has ended meanwhile is no failure. */
async function act(kind: ExpectedAct['kind'], run: string, method: string, path: string, body: object = {}) {
  const answer = await fetch(`${url}/runs/${run}${path && `/${path}`}`, {
    method,
    ...(method === 'POST' && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  await answer.text()
  if (!answer.ok) return 0
  acts.push({ kind, run })
  return 1
}

interface Memory {
  minute: number
  mb: number
  heapMb: number
}

/** The least of each minute: what a contact sheet takes for a moment is no growth. */
function readMemory(file: string): Memory[] {
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  const looks = lines.map(line => JSON.parse(line) as { rss: number; heapUsed: number })
  const minutes = Array.from({ length: Math.floor(looks.length / looksPerMinute) }, (_, minute) =>
    looks.slice(minute * looksPerMinute, (minute + 1) * looksPerMinute),
  )
  const least = (bytes: number[]) => Math.min(...bytes) / 2 ** 20
  return minutes.map((of, minute) => ({
    minute,
    mb: least(of.map(({ rss }) => rss)),
    heapMb: least(of.map(({ heapUsed }) => heapUsed)),
  }))
}

/** The least of each `floorMinutes`. */
function floorsOf(points: readonly Memory[]): Memory[] {
  const floors = new Map<number, Memory>()
  for (const point of points) {
    const at = Math.floor(point.minute / floorMinutes)
    if (point.mb < (floors.get(at)?.mb ?? Infinity)) floors.set(at, point)
  }
  return [...floors.values()]
}

/** Of the line that lies least far from the points, per minute. */
function slopeOf(points: readonly { minute: number; mb: number }[]): number {
  const mean = (value: (point: (typeof points)[number]) => number) =>
    points.reduce((sum, point) => sum + value(point), 0) / points.length
  const [x, y] = [mean(({ minute }) => minute), mean(({ mb }) => mb)]
  return mean(({ minute, mb }) => (minute - x) * (mb - y)) / mean(({ minute }) => (minute - x) ** 2)
}
