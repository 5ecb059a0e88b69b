import type { Provider } from '../../src/plugins/contract.js'
import { openConnection } from './connection.js'
import { modelsOptionSchema } from './models.js'

/** Renders with models of replicate.com. A graph for it is one node whose class is `replicate/<owner>/<name>`. */
const provider: Provider = {
  kind: 'provider',
  name: 'replicate',
  version: '1.0.0',
  options: { type: 'object', additionalProperties: false, properties: { models: modelsOptionSchema } },
  open: (server, host) => openConnection(server, host),
}
export default provider
