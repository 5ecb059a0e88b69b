import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import { serverOpener } from '../../../src/farm/open-servers.js'
import type { Provider, ProviderHost } from '../../../src/plugins/contract.js'
import { References } from '../../../src/record/references.js'

t.test('a reference picture that is gone ends the job with that reason', async t => {
  const references = new References(join(t.testdir(), 'none'))
  let given: ProviderHost | undefined
  const provider: Provider = {
    kind: 'provider',
    name: 'told',
    version: '1.0.0',
    options: {},
    open: (_, host) => {
      given = host
      return Promise.reject(new Error('not opened'))
    },
  }
  const plugin = { name: 'told', folder: '', provider } as unknown as Parameters<typeof serverOpener>[0][number]
  const host = {
    log: pino({ level: 'silent' }),
    signal: new AbortController().signal,
    readReference: ({ sha256 }: { sha256: string }) => references.read(sha256),
  }
  const entry = { name: 'a', provider: 'told', url: 'http://127.0.0.1:1' }
  await t.rejects(serverOpener([plugin], host).open(entry as Parameters<ReturnType<typeof serverOpener>['open']>[0]))
  for (const sha256 of ['a'.repeat(64), '../../secret']) {
    const reference = { sha256, sizeBytes: 1, format: 'png', width: 1, height: 1 } as const
    const failure: unknown = await given?.readReference?.(reference).catch((error: unknown) => error)
    t.match(failure, { name: 'RenderFailure', reason: 'invalid-graph', message: /is gone from .*render the drop/ })
  }
})
