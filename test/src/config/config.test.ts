import t from 'tap'
import { loadConfig } from '../../../src/config/config.js'

t.test('loadConfig names every mistake of a home, each with its place', async t => {
  const home = t.testdir({
    'foundry.yaml': `servers:
  - { name: a, url: http://gpu1:8188, token: '\${ONE}' }
  - { name: a, url: http://gpu2:8188 }
  - { name: b, url: HTTP://GPU2:8188/ }
api: { token: '\${TWO}' }
engine: { name: bullmq, options: { password: '\${THREE}' } }
`,
  })
  const unset = (name: string, path: string) => ({
    code: 'CONFIG_VARIABLE_UNSET',
    message: `The variable ${name} is not set`,
    path,
  })
  const problems = [
    unset('ONE', 'servers.a.token'),
    { code: 'CONFIG_SERVER_DUPLICATE', message: 'Two servers are named "a"' },
    {
      code: 'CONFIG_SERVER_DUPLICATE',
      message: '"a" and "b" have the same address: more jobs at once are its "depth"',
    },
    unset('TWO', 'api.token'),
    unset('THREE', 'engine.options.password'),
  ].map(each => ({ severity: 'error', file: 'foundry.yaml', ...each }))
  await t.rejects(loadConfig({ home }, {}, '0'), { code: 'CONFIG_INVALID', details: { problems } })
})
