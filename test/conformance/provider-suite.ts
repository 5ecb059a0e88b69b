import t from 'tap'
import { type ProviderSubject, providerChecks, runChecks } from '../../src/plugins/conformance/conformance.js'

/** Holds a provider to every promise of the contract, one test for each. */
export function testProvider(name: string, open: () => Promise<ProviderSubject>): void {
  for (const check of providerChecks(open))
    t.test(`${name}: ${check.name}`, async t => {
      for await (const { state, reason } of runChecks([check]))
        if (state === 'skip') t.pass(reason ?? '', { skip: true })
        else t.equal(state, 'pass', reason ?? check.name)
    })
}
