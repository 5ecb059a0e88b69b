/**
 * What providers, engines, storages, gates and observers promise, as checks that anybody may run: `persona-foundry/conformance`.
 * `foundry plugins test` runs them on a folder.
 */
import type { Check } from './checks.js'
import { enginePromises } from './engine-promises.js'
import type { EngineSubject } from './engine-subject.js'
import { providerPromises } from './provider-promises.js'
import type { ProviderSubject } from './provider-subject.js'
import { storagePromises, type StorageSubject } from './storage-promises.js'

export { runChecks, type Check, type Checked } from './checks.js'
export type { EngineControls, EngineSubject } from './engine-subject.js'
export { gateChecks, gateSampleSchema, observerChecks, type GateSample } from './gate-checks.js'
export { sampleHost } from './sample-host.js'
export { sampleJob } from './sample-job.js'
export type { ProviderSubject, ServerControls } from './provider-subject.js'
export type { StorageSubject } from './storage-promises.js'

/** Holds a provider to every promise of the contract, each with a subject of its own. */
export function providerChecks(open: () => Promise<ProviderSubject>): Check[] {
  return Object.entries(providerPromises).map(([name, { needs = [], test }]) => ({
    name,
    run: () =>
      withSubject(open, async subject => {
        const lacking = needs.filter(need => subject.controls[need] === undefined)
        if (lacking.length > 0) return `the server cannot be made to ${lacking.join(', ')}`
        await test({ ...subject, signal: new AbortController().signal })
        return undefined
      }),
  }))
}

/** Holds an engine to every promise of the contract, each with an empty one of its own. */
export function engineChecks(open: () => Promise<EngineSubject>): Check[] {
  return Object.entries(enginePromises).map(([name, { needs = [], test }]) => ({
    name,
    run: () =>
      withSubject(open, async subject => {
        const lacking = needs.filter(need => subject[need] === undefined)
        if (lacking.length > 0) return `it is opened without ${lacking.join(', ')}`
        await test(subject)
        return undefined
      }),
  }))
}

/** Holds a storage to every promise of the contract, each with an empty one of its own. */
export function storageChecks(open: () => Promise<StorageSubject>): Check[] {
  return Object.entries(storagePromises).map(([name, test]) => ({ name, run: () => withSubject(open, test) }))
}

async function withSubject<Subject extends { close(): Promise<void> }, Answer>(
  open: () => Promise<Subject>,
  ask: (subject: Subject) => Promise<Answer>,
): Promise<Answer> {
  const subject = await open()
  try {
    return await ask(subject)
  } finally {
    await subject.close()
  }
}
