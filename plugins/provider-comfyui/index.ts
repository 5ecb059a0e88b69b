import type { Provider } from '../../src/plugins/contract.js'
import { openConnection } from './connection.js'
import type { DraftServerOptions } from './draft-server/options.js'

/** Renders on ComfyUI servers, from 0.3.45 up, and on the draft server, which speaks the same protocol. */
const provider: Provider = {
  kind: 'provider',
  name: 'comfyui',
  version: '1.0.0',
  options: {
    type: 'object',
    properties: {
      renderer: { enum: ['comfyui', 'draft'], description: 'draft: what listens at the address is a draft server' },
    },
    description: 'With the address "draft", also the options of the draft server',
  },
  open: (server, host) => openConnection(server, host),
  async startDraftServer(options, host) {
    // Loaded only where drafts are wanted: painting needs an image library.
    const { startDraftServer } = await import('./draft-server/draft-server.js')
    // The caller knows the options by name; what is not among them has no effect.
    return startDraftServer(options as DraftServerOptions, host)
  },
}
export default provider
