import type { Problem } from '../errors.js'

/** A problem that says where inside its document it is. */
export type PlacedProblem = Problem & { path: string }

const variable = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/
const everyVariable = new RegExp(variable, 'g')
const onlyVariable = new RegExp(`^${variable.source}$`)

/** `${NAME}` and nothing else. */
export function isVariable(text: string): boolean {
  return onlyVariable.test(text)
}

/** Takes each `${NAME}` inside a value from the environment; those that are not set are told, and empty. */
export function fromEnvironment(
  value: string | undefined,
  { env, path, tell }: { env: NodeJS.ProcessEnv; path: string; tell: (problem: PlacedProblem) => void },
): string | undefined {
  return value?.replaceAll(everyVariable, (_, name: string) => {
    const found = env[name]
    if (found === undefined)
      tell({ severity: 'error', code: 'CONFIG_VARIABLE_UNSET', message: `The variable ${name} is not set`, path })
    return found ?? ''
  })
}
