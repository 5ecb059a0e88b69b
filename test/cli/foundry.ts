import { AsyncLocalStorage } from 'node:async_hooks'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { runCommandLine } from '../../src/cli/command-line.js'
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

/** Runs `foundry …` in a process of its own, to its end. */
export async function foundryApart(words: readonly string[], { cwd, env = {}, started }: Call): Promise<Ended> {
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

/**
 * The same in this process, which spares a start of Node: for what a command says and does. Signals, crashes and commands side by
 * side are the business of `foundryApart`. One runs at a time, since a process has one current folder.
 */
export function foundry(words: readonly string[], { cwd, env = {} }: Omit<Call, 'started'>): Promise<Ended> {
  const ended = turn.then(() => runHere(words, cwd, { ...cleanEnvironment(), ...env }))
  turn = ended.catch(() => undefined)
  return ended
}

let turn: Promise<unknown> = Promise.resolve()
const said = new AsyncLocalStorage<Record<'out' | 'err', string>>()
hear(process.stdout, 'out')
hear(process.stderr, 'err')

async function runHere(words: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<Ended> {
  const [folderBefore, environmentBefore] = [process.cwd(), process.env]
  const heard = { out: '', err: '' }
  process.chdir(cwd)
  process.env = env
  try {
    const code = await said.run(heard, () => runCommandLine(['node', 'foundry', ...words]))
    return { code, ...heard }
  } finally {
    process.env = environmentBefore
    process.chdir(folderBefore)
  }
}

/** What a command says in here is its own; all else goes where it went. */
function hear(stream: NodeJS.WriteStream, name: 'out' | 'err'): void {
  const write = stream.write.bind(stream) as (chunk: string | Uint8Array, ...rest: unknown[]) => boolean
  stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
    const heard = said.getStore()
    if (!heard) return write(chunk, ...rest)
    heard[name] += String(chunk)
    return true
  }
}

/** With `--json`: what stands on stdout must be one document. */
export async function foundryJsonApart<Answer>(words: readonly string[], call: Call): Promise<Answered<Answer>> {
  return answered(await foundryApart([...words, '--json'], call))
}

/** With `--json`, in this process. */
export async function foundryJson<Answer>(words: readonly string[], call: Call): Promise<Answered<Answer>> {
  return answered(await foundry([...words, '--json'], call))
}

export interface Answered<Answer> {
  code: number | null
  answer: Answer
  err: string
}

function answered<Answer>({ code, out, err }: Ended): Answered<Answer> {
  return { code, answer: JSON.parse(out) as Answer, err }
}

/** A test must not depend on the shell that starts it, nor measure the coverage of what it only watches from outside. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { FOUNDRY_HOME: _home, FOUNDRY_SERVER: _server, NO_COLOR: _colour, FORCE_COLOR: _force, ...rest } = process.env
  return rest
}
