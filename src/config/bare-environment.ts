/** What programs need to run at all. Anything else may be a secret. */
const harmless = [
  'PATH',
  'HOME',
  'USERPROFILE',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'TEMP',
  'TMP',
  'LD_LIBRARY_PATH',
  'SystemRoot',
  'ComSpec',
] as const

/** The environment for a process that runs the code of others: without tokens, passwords, or options of Node. */
export function bareEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(harmless.flatMap(name => (process.env[name] ? [[name, process.env[name]]] : [])))
}
