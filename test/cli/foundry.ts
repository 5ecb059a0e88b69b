import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { plainNode } from '../plain-node.js'

/** The compiled command line, as a user's shell starts it. */
export const mainFile = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))
/** The package: where the shipped examples lie. */
export const packageFolder = fileURLToPath(new URL('../../../', import.meta.url))

export interface Ended {
  code: number | null
  out: string
  err: string
}

export interface Call {
  cwd: string
  env?: NodeJS.ProcessEnv
  /** Called with the process once it runs. */
  started?: (child: ReturnType<typeof spawn>) => void
}

const limitMs = 60_000

/** Runs `foundry …` to its end. */
export async function foundry(words: readonly string[], { cwd, env = {}, started }: Call): Promise<Ended> {
  const child = spawn(...plainNode([mainFile, ...words]), {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', chunk => (out += chunk))
  child.stderr.setEncoding('utf8').on('data', chunk => (err += chunk))
  started?.(child)
  const code = await new Promise<number | null>(resolve => child.on('close', resolve))
  return { code, out, err }
}

/** The same with `--json`: what stands on stdout must be one document. */
export async function foundryJson<Answer>(
  words: readonly string[],
  call: Call,
): Promise<{ code: number | null; answer: Answer; err: string }> {
  const { code, out, err } = await foundry([...words, '--json'], call)
  return { code, answer: JSON.parse(out) as Answer, err }
}

/** A test must not depend on the shell that starts it, nor measure the coverage of what it only watches from outside. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { FOUNDRY_HOME: _home, FOUNDRY_SERVER: _server, NO_COLOR: _colour, FORCE_COLOR: _force, ...rest } = process.env
  return rest
}
