import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describeProblem, failure, hasErrors, type Problem, reasonOf } from '../errors.js'
import { validateValue } from '../files/validate.js'
import { readStyles } from '../library/styles.js'
import { readTemplates } from '../library/templates.js'
import type { Check } from './conformance/checks.js'
import {
  engineChecks,
  type GateSample,
  gateChecks,
  gateSampleSchema,
  observerChecks,
  providerChecks,
  storageChecks,
} from './conformance/conformance.js'
import type { EngineSubject } from './conformance/engine-subject.js'
import type { ProviderSubject } from './conformance/provider-subject.js'
import type { StorageSubject } from './conformance/storage-promises.js'
import { findPlugin, type FoundPlugin } from './find-plugins.js'
import { loadPlugin, type PluginFolder } from './load-plugins.js'
import { resolveNeeds } from './resolve-needs.js'
import { withinTime } from '../files/within-time.js'

const sampleFile = 'conformance.js'
const sampleLimitMs = 10_000

/** Every check of a plugin in a folder, by what is in it: what it says of itself, its data, its code. Runs its code. */
export async function checksOf(folder: string, version: string): Promise<Check[]> {
  const { plugin, problems } = await findPlugin(folder, version)
  const checks: Check[] = [passIf('what it says of itself is as the schema says', problems)]
  if (hasErrors(problems)) return checks
  const isOther = (each: Problem) => each.code !== 'PLUGIN_NEED_MISSING'
  // Other plugins are the business of the home that it will live in.
  const needs = resolveNeeds([plugin], version).problems.filter(isOther)
  checks.push(passIf('this foundry is one that it needs', needs))
  checks.push(...(await dataChecks(folder)))
  return plugin.code === undefined ? checks : [...checks, ...(await codeChecks(plugin))]
}

async function dataChecks(folder: string): Promise<Check[]> {
  const [styles, templates] = await Promise.all([readStyles([folder]), readTemplates([folder])])
  const hasData = styles.styles.length + templates.templates.size > 0
  const problems = [...styles.problems, ...templates.problems]
  return hasData || problems.length > 0 ? [passIf('its styles and templates are as their schemas say', problems)] : []
}

async function codeChecks(found: FoundPlugin): Promise<Check[]> {
  // Its options come from the sample, not from a home.
  const config = { pluginOptions: {}, resolveOptions: () => ({ options: {}, problems: [] }) }
  const { plugin, problems } = await loadPlugin({ ...found, from: 'pluginFolders' }, config)
  const isLoading = (each: Problem) => !each.path?.startsWith('plugins.')
  const loading = problems.filter(isLoading)
  const first = passIf('its code can be loaded, and is a plugin', loading)
  if (hasErrors(loading)) return [first]
  return [first, ...(await kindChecks(found.folder, plugin))]
}

async function kindChecks(folder: string, plugin: PluginFolder): Promise<Check[]> {
  const { provider, engine, storage, gate, observer } = plugin
  const { sample, problems } = await readSample(folder)
  if (problems.length > 0) return [passIf(`${sampleFile} can be loaded`, problems)]
  const opened = provider ?? engine ?? storage
  if (opened && typeof sample !== 'function') return [lacksSubject(opened.kind)]
  // What it opens is seen by the checks.
  if (provider) return providerChecks(sample as () => Promise<ProviderSubject>)
  if (engine) return engineChecks(sample as () => Promise<EngineSubject>)
  if (storage) return storageChecks(sample as () => Promise<StorageSubject>)
  if (!gate && !observer) return []
  const { value = {}, problems: unfit } = validateValue(gateSampleSchema, sample ?? {}, sampleFile)
  // What the schema has checked.
  const given = value as GateSample
  const first = passIf(`${sampleFile} says what it is tried with`, unfit)
  if (hasErrors(unfit)) return [first]
  return [first, ...(gate ? gateChecks(gate, given) : []), ...(observer ? observerChecks(observer, given) : [])]
}

/** The default export of an author's own file, which may be anything, or no end. */
async function readSample(folder: string): Promise<{ sample?: unknown; problems: Problem[] }> {
  const path = join(folder, sampleFile)
  if (!existsSync(path)) return { problems: [] }
  try {
    const loading: Promise<{ default?: unknown }> = import(pathToFileURL(path).href)
    const { default: sample } = await withinTime(loading, sampleLimitMs, 'not loaded')
    return { sample, problems: [] }
  } catch (error) {
    const message = `It cannot be loaded: ${reasonOf(error)}`
    return { problems: [{ severity: 'error', code: 'PLUGIN_BROKEN', file: sampleFile, message }] }
  }
}

const subjects = { provider: 'a server', engine: 'an engine', storage: 'a storage' }

function lacksSubject(kind: keyof typeof subjects): Check {
  const opened = subjects[kind]
  const run = () => {
    throw failure('USAGE_INVALID', {
      problem: `${sampleFile} has no function as its default export`,
      next: `let it open ${opened} to test with: "foundry plugins init ${kind}-sample" writes one`,
    })
  }
  return { name: `${sampleFile} opens ${opened} to test with`, run }
}

function passIf(name: string, problems: readonly Problem[]): Check {
  return {
    name,
    run: async () => {
      if (hasErrors(problems)) throw failure('PLUGIN_INVALID', { problems })
      return problems.length > 0 ? problems.map(describeProblem).join('; ') : undefined
    },
  }
}
