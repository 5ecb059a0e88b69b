import { failure, FoundryError } from '../errors.js'
import {
  type Connection,
  type DraftServer,
  type Provider,
  type ProviderHost,
  RenderFailure,
} from '../plugins/contract.js'
import type { PluginFolder } from '../plugins/load-plugins.js'
import { type ServerEntry, serverSchema } from '../schema/config.js'
import type { ServerOptions } from './worker-host.js'

/** Connects entries with the providers that speak to them. */
export interface ServerOpener {
  /** Throws for an entry that its provider cannot use. */
  open(entry: ServerEntry): Promise<ServerOptions>
  /** Ends the draft servers that were started. */
  close(): Promise<void>
}

export function serverOpener(plugins: readonly PluginFolder[], { readReference, ...rest }: ProviderHost): ServerOpener {
  const host = { ...rest, ...(readReference && { readReference: failingJobs(readReference) }) }
  const drafts: DraftServer[] = []
  return {
    async open(entry) {
      const provider = providerOf(entry, plugins)
      let { url } = entry
      if (url === 'draft') {
        const draft = await provider.startDraftServer?.(entry.options ?? {}, host)
        if (!draft)
          throw failure('USAGE_INVALID', { problem: `Provider ${provider.name} draws no drafts`, next: 'give a URL' })
        drafts.push(draft)
        url = draft.url
      }
      const resolved = { ...entry, ...(url !== undefined && { url }) }
      const connection = await provider.open(resolved, host)
      return { entry: resolved, connection, ...(isDraft(entry) && { renderer: 'draft' }) }
    },
    async close() {
      await Promise.all(drafts.map(draft => draft.close()))
    },
  }
}

/** What new runs are rendered by before the first server has answered. */
export function expectedRenderer(entries: readonly ServerEntry[]): string {
  if (entries.length === 0) return serverSchema.properties.provider.default
  return entries.find(entry => !isDraft(entry))?.provider ?? 'draft'
}

/** A server that cannot be opened, as one that is never there: it harms no other, and says why. */
export function absentServer(entry: ServerEntry, reason: string): ServerOptions {
  const fail = () => Promise.reject(new RenderFailure('unreachable', reason))
  const connection: Connection = {
    probe: fail,
    check: fail,
    submit: fail,
    // Nothing was submitted, so nobody follows it.
    follow: () => {
      throw new RenderFailure('unreachable', reason)
    },
    fetch: fail,
    find: fail,
    cancel: fail,
    close: () => Promise.resolve(),
  }
  return { entry, connection }
}

/** What cannot be read here can be rendered nowhere. */
function failingJobs(read: NonNullable<ProviderHost['readReference']>): typeof read {
  return reference =>
    read(reference).catch((error: unknown) => {
      if (!(error instanceof FoundryError)) throw error
      throw new RenderFailure('invalid-graph', error.message, {}, error)
    })
}

function isDraft({ url, options }: ServerEntry): boolean {
  return url === 'draft' || options?.['renderer'] === 'draft'
}

function providerOf(entry: ServerEntry, plugins: readonly PluginFolder[]): Provider {
  const providers = plugins.flatMap(plugin => plugin.provider ?? [])
  const found = providers.find(provider => provider.name === entry.provider)
  if (found) return found
  const known = providers.map(provider => provider.name).join(', ') || 'none'
  throw failure('USAGE_INVALID', {
    problem: `Server ${entry.name} needs the provider "${entry.provider}"`,
    next: `loaded are: ${known}`,
  })
}
