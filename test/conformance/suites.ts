import t from 'tap'
import {
  type Check,
  engineChecks,
  type EngineSubject,
  providerChecks,
  type ProviderSubject,
  runChecks,
  storageChecks,
  type StorageSubject,
} from '../../src/plugins/conformance/conformance.js'

/** Holds a provider to every promise of the contract, one test for each. */
export function testProvider(name: string, open: () => Promise<ProviderSubject>): void {
  testChecks(name, providerChecks(open))
}

/** Holds an engine to every promise of the contract, one test for each. */
export function testEngine(name: string, open: () => Promise<EngineSubject>): void {
  testChecks(name, engineChecks(open))
}

/** Holds a storage to every promise of the contract, one test for each. */
export function testStorage(name: string, open: () => Promise<StorageSubject>): void {
  testChecks(name, storageChecks(open))
}

function testChecks(name: string, checks: readonly Check[]): void {
  for (const check of checks)
    t.test(`${name}: ${check.name}`, async t => {
      for await (const { state, reason } of runChecks([check]))
        if (state === 'skip') t.pass(reason ?? '', { skip: true })
        else t.equal(state, 'pass', reason ?? check.name)
    })
}
