import type { Problem } from '../errors.js'
import { type ServerEntry, serverSchema } from '../schema/config.js'
import { fromEnvironment, isVariable, type PlacedProblem } from './variables.js'

export const defaultServerUrl = 'http://127.0.0.1:8188'

/** Where a server is that has no address in its entry; undefined where its provider knows. */
function usualAddress({ provider, url }: Pick<ServerEntry, 'provider' | 'url'>): string | undefined {
  return url ?? (provider === serverSchema.properties.provider.default ? defaultServerUrl : undefined)
}

/** A complete server entry from a partial one: the schema's own defaults. */
export function server(entry: Partial<ServerEntry> & { name: string }): ServerEntry {
  const properties = serverSchema.properties
  return {
    provider: properties.provider.default,
    depth: properties.depth.default,
    timeoutSeconds: properties.timeoutSeconds.default,
    graceSeconds: properties.graceSeconds.default,
    jobTimeoutSeconds: properties.jobTimeoutSeconds.default,
    ...entry,
  }
}

/** Checks the address of an entry and takes its secrets from the environment. Problems have paths inside the entry. */
export function resolveServer(
  entry: ServerEntry,
  env: NodeJS.ProcessEnv,
): { entry: ServerEntry; problems: PlacedProblem[] } {
  const problems: PlacedProblem[] = []
  const resolve = (value: string | undefined, path: string) =>
    fromEnvironment(value, { env, path, tell: problem => problems.push(problem) })
  const url = usualAddress(entry)
  if (url !== undefined && !isAddress(url)) {
    const place = { path: 'url', found: url, allowed: proposeAddress(url) }
    problems.push({ severity: 'error', code: 'CONFIG_URL_INVALID', message: 'Not a server address', ...place })
  }
  const headers = Object.entries(entry.headers ?? {}).map(
    ([name, value]) => [name, resolve(value, `headers.${name}`) ?? ''] as const,
  )
  const token = resolve(entry.token, 'token')
  return {
    entry: {
      ...entry,
      ...(url !== undefined && { url }),
      ...(entry.headers && { headers: Object.fromEntries(headers) }),
      ...(token !== undefined && { token }),
    },
    problems,
  }
}

/** The options of an engine with their secrets, which stand in the environment as `${NAME}`. */
export function resolveOptions(
  options: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv,
): { options: Record<string, unknown>; problems: Problem[] } {
  const problems: Problem[] = []
  const resolved = Object.entries(options).map(([name, value]) => {
    if (typeof value !== 'string') return [name, value] as const
    const path = `engine.options.${name}`
    const tell = (problem: Problem) => problems.push({ ...problem, file: 'foundry.yaml' })
    return [name, fromEnvironment(value, { env, path, tell })] as const
  })
  return { options: Object.fromEntries(resolved), problems }
}

/** Options as another machine may be told them: what is secret and written out is left out. */
export function shownOptions(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isShown = ([name, value]: [string, unknown]) => {
    if (typeof value !== 'string' || isVariable(value)) return true
    if (/password|secret|token/i.test(name)) return false
    const { password = '' } = URL.canParse(value) ? new URL(value) : {}
    // Inside a URL its braces are escaped.
    return password === '' || isVariable(password.replace(/%7B/i, '{').replace(/%7D/i, '}'))
  }
  return Object.fromEntries(Object.entries(options).filter(isShown))
}

/**
 * What of an entry must not be kept where it would be: a secret that is written out. Those of an entry that is kept stand in
 * the environment, as `${NAME}`.
 */
export function findSecrets({ url = '', token, headers = {} }: ServerEntry): Problem[] {
  const message = 'A secret is not kept here'
  const problem = (path: string, allowed: string): Problem => ({
    severity: 'error',
    code: 'SERVER_SECRET_LITERAL',
    message,
    path,
    allowed,
  })
  const isNamed = (value: string) => isVariable(value.replace(/^[A-Za-z]+ /, ''))
  const named = '${NAME}, the name of an environment variable that holds it'
  const parts = URL.canParse(url) ? new URL(url) : undefined
  return [
    ...(token !== undefined && !isNamed(token) ? [problem('token', named)] : []),
    ...Object.entries(headers).flatMap(([name, value]) => (isNamed(value) ? [] : [problem(`headers.${name}`, named)])),
    ...(parts && (parts.username || parts.password || parts.search)
      ? [problem('url', 'an address without user and query; a token as ${NAME}')]
      : []),
  ]
}

/** An address as screens show it: without user and query, which may be secrets. */
export function shownAddress(url: string): string {
  const parts = URL.canParse(url) ? new URL(url) : undefined
  if (!parts || (!parts.username && !parts.password && !parts.search)) return url
  return `${parts.origin}${parts.pathname}`
}

/** Names of servers that are one and the same, in pairs. Each `draft` is a server of its own. */
export function sameAddresses(servers: readonly Pick<ServerEntry, 'name' | 'url' | 'provider'>[]): [string, string][] {
  const known = new Map<string, string>()
  return servers.flatMap(({ name, ...entry }): [string, string][] => {
    const url = usualAddress(entry) ?? `the service of ${entry.provider}`
    const address = URL.canParse(url) ? new URL(url).href.replace(/\/$/, '') : url
    const first = known.get(address)
    if (first === undefined) known.set(address, name)
    return first === undefined || url === 'draft' ? [] : [[first, name]]
  })
}

/** The embedded draft server, or a URL. */
export function isAddress(text: string): boolean {
  return text === 'draft' || isHttpUrl(text)
}

/** Mostly only the scheme is missing. */
export function proposeAddress(text: string): string {
  const isBare = text !== '' && !text.includes('://') && !/[\s\\]/.test(text) && URL.canParse(`http://${text}`)
  return isBare ? `http://${text}` : `${defaultServerUrl} or draft`
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
}
