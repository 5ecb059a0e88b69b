import { spawn } from 'node:child_process'
import type { Terminal } from './terminal.js'

export interface Ending {
  exitCode: number
  runs: readonly { run: string; manifest: string }[]
}

/** More than this fits no environment of a process. */
const listLengthMax = 64 * 1024

/** `--on-done CMD`: run by the shell with the outcome in its environment. Its own exit code is only noted. */
export async function runOnDone(command: string, { exitCode, runs }: Ending, terminal: Terminal): Promise<void> {
  const env = {
    ...process.env,
    FOUNDRY_EXIT_CODE: String(exitCode),
    FOUNDRY_RUNS: joinUpTo(
      runs.map(each => each.run),
      ' ',
    ),
    FOUNDRY_MANIFESTS: joinUpTo(
      runs.map(each => each.manifest),
      '\n',
    ),
  }
  const code = await new Promise<number | null>(done => {
    // Its words go to stderr: stdout belongs to the answer.
    spawn(command, { shell: true, stdio: ['ignore', 2, 2], env })
      .on('close', done)
      .on('error', () => done(null))
  })
  if (code !== 0) terminal.note(`--on-done ended with ${code ?? 'no exit code'}`)
}

function joinUpTo(words: readonly string[], separator: string): string {
  let text = words[0] ?? ''
  for (const word of words.slice(1)) {
    if (text.length + word.length >= listLengthMax) break
    text += separator + word
  }
  return text
}
