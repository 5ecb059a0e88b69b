import { FoundryError, type Provider } from '../../src/plugins/contract.js'
import { openConnection } from './connection.js'

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
    const { sortOptions } = await import('./draft-server/options.js')
    const { renderer: _isDraftAnyway, ...own } = options
    const { options: sorted, unknown, known } = sortOptions(own)
    if (unknown.length > 0) throw optionUnknown(unknown, known)
    return startDraftServer(sorted, host)
  },
}
export default provider

/** A word of the user's that means nothing here. */
function optionUnknown(unknown: readonly string[], known: readonly string[]): FoundryError {
  const problem = `The draft server has no option ${unknown.join(', ')}`
  const next = `choose among ${known.join(', ')}`
  return new FoundryError('USAGE_INVALID', `${problem}: ${next}`, { problem, next })
}
