import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { serveControl } from '../../../src/cli/serve-control.js'
import { loadConfig } from '../../../src/config/config.js'
import { openFoundry } from '../../../src/daemon.js'
import { operationList, operations } from '../../../src/operations/operations.js'

async function openControl(t: Test) {
  const config = await loadConfig({ home: t.testdir({ 'foundry.yaml': '{}' }), draft: true }, {}, '1.2.3')
  const open = await openFoundry(config, { log: pino({ level: 'silent' }) })
  t.teardown(() => open.close(0))
  serveControl(open)
  const { socketPath, token } = open.ownership
  const call = (name: string, body: string, authorization?: string) =>
    new Promise<{ status: number | undefined; body: unknown }>((resolve, reject) => {
      const headers = authorization === undefined ? {} : { authorization }
      request({ socketPath, path: `/operations/${name}`, method: 'POST', headers }, response => {
        json(response).then(body => resolve({ status: response.statusCode, body }), reject)
      })
        .on('error', reject)
        .end(body)
    })
  return { token, call }
}

t.test('control socket reaches any file and every operation by name, with its token alone', async t => {
  const { token, call } = await openControl(t)
  const folder = mkdtempSync(join(tmpdir(), 'foundry-elsewhere-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'kit.json')
  writeFileSync(path, JSON.stringify({ dot_id: 'elsewhere', version: '1.0.0' }))
  const bearer = `Bearer ${token}`
  for (const wrong of [undefined, '', 'Bearer ', `Bearer ${token}x`, `Basic ${token}`, token])
    t.match(
      await call('status', '{}', wrong),
      { status: 401, body: { error: { code: 'TOKEN_MISSING' } } },
      wrong?.replace(token, '…') ?? 'none',
    )
  const submit = JSON.stringify({ path, dryRun: true })
  t.match(await call('submit', submit, bearer), { status: 200, body: { isNew: true } })
  t.match(await call('nothing', '{}', bearer), { status: 404, body: { error: { code: 'OPERATION_UNKNOWN' } } })
  t.match(await call('status', '{', bearer), { status: 400 }, 'no JSON')
  t.match(await call('status', `"${'x'.repeat(1024 * 1024)}"`, bearer), { body: { error: { code: 'BODY_TOO_LARGE' } } })
  for (const operation of operationList) {
    const { status } = await call(operation.name, '{"unknown":true}', bearer)
    t.equal(status, 400, operation.name)
  }
})

t.test('operations are called by the name that the table gives them', async t => {
  t.strictSame(
    Object.keys(operations),
    operationList.map(({ name }) => name),
  )
})
