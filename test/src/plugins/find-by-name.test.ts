import t from 'tap'
import type { EnginePlugin } from '../../../src/plugins/contract.js'
import { createEmbeddedEngine } from '../../../src/farm/embedded-engine.js'
import { findEngine } from '../../../src/plugins/find-by-name.js'
import { pluginOf } from './plugin-home.js'

const engine: EnginePlugin = {
  kind: 'engine',
  name: 'memory',
  version: '1.0.0',
  options: { type: 'object', additionalProperties: false, properties: { size: { type: 'integer' } } },
  open: () => Promise.resolve(createEmbeddedEngine()),
}
const plugins = [pluginOf(engine)]

t.test('findEngine opens the engine of that name', async t => {
  const open = findEngine(plugins, { name: 'memory', options: { size: 1 } })
  // The embedded engine asks nothing of its host.
  t.strictSame(await (await open({ home: 'here', log: undefined as never })).counts(), new Map())
})

t.test('findEngine names what is wrong, and no value of an option', async t => {
  t.throws(() => findEngine(plugins, { name: 'other', options: {} }), { message: /allowed: memory/ })
  t.throws(() => findEngine([], { name: 'other', options: {} }), { message: /none is installed/ })
  const wrong = () => findEngine(plugins, { name: 'memory', options: { size: 'secret' } })
  t.throws(wrong, { code: 'CONFIG_INVALID', message: /engine\.options\.size/ })
  t.throws(wrong, { message: /^(?!.*secret)/ })
})
