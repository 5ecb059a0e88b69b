import { createEmbeddedEngine } from '../../../src/farm/embedded-engine.js'
import { testEngine } from '../../conformance/suites.js'

testEngine('createEmbeddedEngine', async () => {
  const engine = createEmbeddedEngine()
  return { engine, close: () => engine.close() }
})
