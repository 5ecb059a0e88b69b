import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { sha256 } from '../../src/files/hash.js'
import { packageFolder } from '../cli/foundry.js'
import { paintPicture } from '../paint-picture.js'
import { tinyTemplates } from '../tiny-templates.js'
import { eventually, startDaemon } from './start-daemon.js'

t.setTimeout(60_000)

t.test('a drop whose reference picture is still being written is left alone until the picture is whole', async t => {
  const edit = readFileSync(join(packageFolder, 'test/fixtures/workflows/image-to-image.json'), 'utf8')
  const whole = t.testdir({ home: { workflows: { 'edit.json': edit }, templates: tinyTemplates } })
  const home = join(whole, 'home')
  const daemon = await startDaemon(home, { templates: ['tiny'], quietSeconds: 2 })
  t.teardown(() => daemon.kill('SIGKILL'))
  const picture = await paintPicture(64, 96)
  const file = join(daemon.manifests, 'refs', 'face.png')
  mkdirSync(join(daemon.manifests, 'refs'))
  writeFileSync(file, picture.subarray(0, picture.length - 100))
  const kit = { dot_id: 'mara', version: '1.0.0', references: ['refs/face.png'] }
  writeFileSync(join(daemon.manifests, 'mara.json'), JSON.stringify(kit))
  await sleep(600)
  t.match(await daemon.get('/drops'), { total: 0 })
  appendFileSync(file, picture.subarray(picture.length - 100))
  await eventually('the run to be done', async () => {
    const { runs } = await daemon.get<{ runs: { state: string }[] }>('/runs')
    return runs.length === 1 && runs[0]?.state === 'done' ? true : undefined
  })
  t.notOk(existsSync(join(daemon.manifests, 'mara.json.problems.json')))
  t.ok(readFileSync(join(home, '.foundry/references', sha256(picture))).equals(picture))

  // Whoever asks over the network names nothing outside of the home.
  const outside = join(whole, 'secret.png')
  writeFileSync(outside, picture)
  const ask = async (references: string[]) => {
    const body = JSON.stringify({ path: 'manifests/mara.json', references, dryRun: true })
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${daemon.url}/runs`, { method: 'POST', headers, body })
    return { status: answer.status, said: await answer.text() }
  }
  t.match(await ask(['manifests/refs/face.png']), { status: 200 })
  for (const path of [outside, '../secret.png', `.foundry/references/${sha256(picture)}`])
    t.match(await ask([path]), { said: /PATH_ESCAPES/ })
})
