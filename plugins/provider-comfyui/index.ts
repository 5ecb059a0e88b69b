import { describeProblem, FoundryError, type Problem, type Provider } from '../../src/plugins/contract.js'
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
    const { checkOptions } = await import('./draft-server/check-options.js')
    const { renderer: _isDraftAnyway, ...given } = options
    const { options: own, problems } = checkOptions(given)
    if (problems.length > 0) throw optionsWrong(problems)
    return startDraftServer(own, host)
  },
}
export default provider

/** Words of the user's that mean nothing here. */
function optionsWrong(problems: readonly Problem[]): FoundryError {
  const all = problems.map(describeProblem).join('; ')
  return new FoundryError('USAGE_INVALID', `The options of the draft server are wrong: ${all}`, { problems })
}
