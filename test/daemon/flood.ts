import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeMalformedDrops } from '../src/library/malformed-drops.js'
import { eventually, startDaemon, type TestDaemon } from './start-daemon.js'

export interface FloodOutcome {
  runs: number
  /** Malformed drops without an answer, or with one that lacks what was injected. */
  unanswered: string[]
  delayP99Ms: number
  tookMs: number
  residentMb: number
}

const awayServer = { name: 'away', url: 'http://127.0.0.1:9' }
const limitMs = 240_000

/** Malformed drops from a seed beside good ones, into the folder of a running daemon. */
export async function floodMalformed(home: string, { bad, good, seed }: { bad: number; good: number; seed: number }) {
  const daemon = await startDaemon(home, { quietSeconds: 1, servers: [awayServer] }, { flags: {} })
  try {
    await delayP99(daemon)
    const begin = performance.now()
    const expected = [...makeMalformedDrops(bad, seed)].map(({ bytes, ...rest }) => {
      writeFileSync(join(daemon.manifests, rest.name), bytes)
      return rest
    })
    const every = Math.max(1, Math.floor(bad / good))
    for (let at = 0; at < good; at++) writeFileSync(join(daemon.manifests, `good-${at * every}.json`), tinyKit(at))
    await counted(daemon, { refused: bad, accepted: good })
    const tookMs = performance.now() - begin
    const unanswered = expected.filter(each => !isAnswered(daemon, each)).map(({ name }) => name)
    const outcome = { unanswered, delayP99Ms: await delayP99(daemon), tookMs, ...(await figures(daemon)) }
    return outcome satisfies FloodOutcome
  } finally {
    await daemon.kill()
  }
}

/**
 * Many tiny good drops at once: every one becomes a run, though no server is there. `isFrozen`: the daemon stands still while they
 * come, so that its watcher misses what the system keeps no room for.
 */
export async function floodGood(
  home: string,
  count: number,
  { isFrozen = false }: { isFrozen?: boolean } = {},
): Promise<FloodOutcome> {
  const config = { quietSeconds: 1, templates: ['hero-portrait'], servers: [awayServer] }
  const daemon = await startDaemon(home, config, { flags: {} })
  try {
    await delayP99(daemon)
    const begin = performance.now()
    if (isFrozen) daemon.child.kill('SIGSTOP')
    for (let at = 0; at < count; at++) writeFileSync(join(daemon.manifests, `kit-${at}.json`), tinyKit(at))
    if (isFrozen) daemon.child.kill('SIGCONT')
    await counted(daemon, { refused: 0, accepted: count })
    const tookMs = performance.now() - begin
    return { unanswered: [], delayP99Ms: await delayP99(daemon), tookMs, ...(await figures(daemon)) }
  } finally {
    await daemon.kill()
  }
}

function tinyKit(at: number): string {
  return JSON.stringify({ dot_id: `kit_${at}`, version: '1.0.0', description: `number ${at}` })
}

async function counted(daemon: TestDaemon, { refused, accepted }: { refused: number; accepted: number }) {
  const totalOf = async (isRefused: boolean) =>
    (await daemon.get<{ total: number }>(`/drops?limit=1&refused=${isRefused}`)).total
  await eventually(
    `${refused} refused and ${accepted} accepted drops`,
    async () => ((await totalOf(true)) === refused && (await totalOf(false)) === accepted ? true : undefined),
    limitMs,
  )
}

function isAnswered(
  daemon: TestDaemon,
  { name, expected }: { name: string; expected: { code: string; path?: string } },
) {
  const file = join(daemon.manifests, `${name}.problems.json`)
  if (!existsSync(file)) return false
  const { problems } = JSON.parse(readFileSync(file, 'utf8')) as { problems: { code: string; path?: string }[] }
  return problems.some(
    ({ code, path }) => code === expected.code && (expected.path === undefined || path === expected.path),
  )
}

async function delayP99(daemon: TestDaemon): Promise<number> {
  return (await daemon.metric('nodejs_eventloop_delay_seconds{quantile="0.99"}')) * 1000
}

async function figures(daemon: TestDaemon): Promise<{ runs: number; residentMb: number }> {
  const { total } = await daemon.get<{ total: number }>('/runs?limit=1')
  return { runs: total, residentMb: (await daemon.metric('process_resident_memory_bytes')) / 2 ** 20 }
}
