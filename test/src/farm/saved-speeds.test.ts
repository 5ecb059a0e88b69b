import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import t from 'tap'
import { openSavedSpeeds } from '../../../src/farm/saved-speeds.js'
import { Speeds } from '../../../src/farm/speeds.js'

const log = pino({ level: 'silent' })
const addresses: Record<string, string> = { gpu1: 'http://gpu1', gpu2: 'http://gpu2' }
const addressOf = (server: string) => addresses[server]
const work = 'sd15/a'

async function open(file: string, more: Partial<Parameters<typeof openSavedSpeeds>[1]> = {}) {
  const speeds = new Speeds()
  return { speeds, saved: await openSavedSpeeds(file, { speeds, addressOf, log, ...more }) }
}

function measure(speeds: Speeds, server: string, ms: readonly number[]): void {
  for (const renderMs of ms) speeds.add(server, work, { renderMs, loaded: 'none' })
}

t.test('speeds survive a restart, with what they varied and what loading took', async t => {
  const file = join(t.testdir({}), 'speeds.json')
  const first = await open(file)
  measure(first.speeds, 'gpu1', [100, 120, 100, 120, 100, 120])
  first.speeds.add('gpu1', work, { renderMs: 5110, loaded: 'models' })
  first.speeds.add('gpu1', work, { renderMs: 610, loaded: 'loras' })
  const before = first.speeds.export()
  await first.saved.close()

  const second = await open(file)
  t.strictSame(second.speeds.export(), before)
  t.equal(second.speeds.jobMs('gpu1', work), first.speeds.jobMs('gpu1', work))
  t.equal(second.speeds.switchMs('gpu1', 'models'), first.speeds.switchMs('gpu1', 'models'))
  t.equal(second.speeds.jobMs('gpu2', work), first.speeds.jobMs('gpu1', work), 'the others are reckoned by it')
  t.ok(second.speeds.countOf('gpu1', work) <= 1, 'what an earlier process saw judges no picture')
  measure(second.speeds, 'gpu1', [1000, 1000, 1000, 1000])
  t.ok((second.speeds.jobMs('gpu1', work) ?? 0) > 700, 'what is measured now soon outweighs it')
  await second.saved.close()
})

t.test('another server under the same name begins anew, and what was known of the first one stays', async t => {
  const file = join(t.testdir({}), 'speeds.json')
  const first = await open(file)
  measure(first.speeds, 'gpu1', [100])
  await first.saved.close()
  const other = await open(file, { addressOf: () => 'http://elsewhere' })
  t.strictSame(other.speeds.export(), [])
  measure(other.speeds, 'gpu1', [900])
  await other.saved.close()
  const back = await open(file)
  t.equal(back.speeds.jobMs('gpu1', work), 100)
  await back.saved.stop()
})

t.test('a file that is lost, damaged or of another version begins anew', async t => {
  for (const text of ['', '{"version":1', '{"version":2,"servers":[]}', '{"version":1,"servers":[{"server":1}]}']) {
    const file = join(t.testdir({ 'speeds.json': text }), 'speeds.json')
    const { speeds, saved } = await open(file)
    t.strictSame(speeds.export(), [])
    measure(speeds, 'gpu1', [5])
    await saved.close()
    t.match(JSON.parse(readFileSync(file, 'utf8')), { version: 1, servers: [{ server: 'gpu1' }] })
  }
})

t.test('what changes is saved meanwhile, and nothing else is written', async t => {
  const file = join(t.testdir({}), 'speeds.json')
  const { speeds, saved } = await open(file, { saveEveryMs: 5 })
  measure(speeds, 'gpu1', [5])
  const read = () => {
    try {
      return readFileSync(file, 'utf8')
    } catch {
      return ''
    }
  }
  while (read() === '') await sleep(5)
  writeFileSync(file, 'by hand')
  await sleep(30)
  t.equal(read(), 'by hand')
  measure(speeds, 'gpu1', [7])
  await saved.stop()
  t.equal(read(), 'by hand', 'who may not write any more does not')
})
