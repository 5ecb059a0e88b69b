import { createEmbeddedEngine } from '../../../src/farm/embedded-engine.js'
import { testEngine } from '../../plugins/engine-conformance.js'

testEngine('createEmbeddedEngine', async () => createEmbeddedEngine())
