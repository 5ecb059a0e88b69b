/**
 * What providers, gates and observers promise, as checks that anybody may run: `persona-foundry/conformance`. `foundry plugins test`
 * runs them on a folder.
 */
import type { Check } from './checks.js'
import { providerPromises } from './provider-promises.js'
import type { ProviderSubject } from './provider-subject.js'

export { runChecks, type Check, type Checked } from './checks.js'
export { gateChecks, gateSampleSchema, observerChecks, type GateSample } from './gate-checks.js'
export { sampleHost } from './sample-host.js'
export { sampleJob } from './sample-job.js'
export type { ProviderSubject, ServerControls } from './provider-subject.js'

/** Holds a provider to every promise of the contract, each with a subject of its own. */
export function providerChecks(open: () => Promise<ProviderSubject>): Check[] {
  return Object.entries(providerPromises).map(([name, { needs = [], test }]) => ({
    name,
    async run() {
      const subject = await open()
      try {
        const lacking = needs.filter(need => subject.controls[need] === undefined)
        if (lacking.length > 0) return `the server cannot be made to ${lacking.join(', ')}`
        await test({ ...subject, signal: new AbortController().signal })
        return undefined
      } finally {
        await subject.close()
      }
    },
  }))
}
