import type { Problem } from '../errors.js'
import { type ServerEntry, serverSchema } from '../schema/config.js'

export const defaultServerUrl = 'http://127.0.0.1:8188'

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
): { entry: ServerEntry; problems: (Problem & { path: string })[] } {
  const problems: (Problem & { path: string })[] = []
  const tell = (code: string, message: string, path: string) => ({ severity: 'error' as const, code, message, path })
  const resolve = (value: string | undefined, path: string) =>
    fromEnvironment(value, env, name =>
      problems.push(tell('CONFIG_VARIABLE_UNSET', `The variable ${name} is not set`, path)),
    )
  const url = entry.url ?? defaultServerUrl
  if (!isAddress(url)) {
    const allowed = proposeAddress(url)
    problems.push({ ...tell('CONFIG_URL_INVALID', 'Not a server address', 'url'), found: url, allowed })
  }
  const headers = Object.entries(entry.headers ?? {}).map(
    ([name, value]) => [name, resolve(value, `headers.${name}`) ?? ''] as const,
  )
  const token = resolve(entry.token, 'token')
  return {
    entry: {
      ...entry,
      url,
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
    const tell = (variable: string) =>
      problems.push({
        severity: 'error',
        code: 'CONFIG_VARIABLE_UNSET',
        message: `The variable ${variable} is not set`,
        file: 'foundry.yaml',
        path: `engine.options.${name}`,
      })
    return [name, fromEnvironment(value, env, tell)] as const
  })
  return { options: Object.fromEntries(resolved), problems }
}

/** Options as another machine may be told them: what is secret and written out is left out. */
export function shownOptions(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isShown = ([name, value]: [string, unknown]) => {
    if (typeof value !== 'string' || /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(value)) return true
    if (/password|secret|token/i.test(name)) return false
    const { password = '' } = URL.canParse(value) ? new URL(value) : {}
    return password === '' || /^\$(\{|%7B)[A-Za-z_][A-Za-z0-9_]*(\}|%7D)$/i.test(password)
  }
  return Object.fromEntries(Object.entries(options).filter(isShown))
}

/** `${NAME}` inside a value is taken from the environment; names that are not set are told. */
export function fromEnvironment(
  value: string | undefined,
  env: NodeJS.ProcessEnv,
  unset: (name: string) => void,
): string | undefined {
  return value?.replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
    const found = env[name]
    if (found === undefined) unset(name)
    return found ?? ''
  })
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
  const isNamed = (value: string) => /^([A-Za-z]+ )?\$\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(value)
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
