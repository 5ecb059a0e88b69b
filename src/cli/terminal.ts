import { styleText } from 'node:util'
import { describeProblem, FoundryError, type Problem, reasonOf } from '../errors.js'

type Style = Parameters<typeof styleText>[0]

/** Where a command says things: results to stdout, everything else to stderr. The only part that prints. */
export interface Terminal {
  isJson: boolean
  /** Whether somebody looks at stderr. */
  isLive: boolean
  /** A result for people; nothing in JSON mode. */
  say(text: string): void
  /** The result for programs, as the only document on stdout; nothing otherwise. */
  answer(value: unknown): void
  note(text: string): void
  problems(problems: readonly Problem[]): void
  fail(error: unknown): void
  /** One line that is written over again; on a terminal only. */
  live(text: string): void
  /** For `say`: colours only where stdout is a terminal. */
  paint(style: Style, text: string): string
}

export interface TerminalOptions {
  json: boolean
  colour: boolean
}

/** A stream as far as it is written to: those of the process, or a test's. */
export interface Sink {
  write(text: string): unknown
  isTTY?: boolean
  columns?: number
}

export function createTerminal(
  { json, colour }: TerminalOptions,
  { out, err }: { out: Sink; err: Sink } = { out: process.stdout, err: process.stderr },
): Terminal {
  const isLive = err.isTTY === true && !json
  const paintFor = (sink: Sink) => (style: Style, text: string) =>
    // The caller knows about NO_COLOR; asked by itself, styleText would look at the process's own stdout.
    colour && !json && sink.isTTY === true ? styleText(style, text, { validateStream: false }) : text
  const paintNote = paintFor(err)
  let liveLength = 0
  const clear = () => {
    if (liveLength > 0) err.write(`\r${' '.repeat(liveLength)}\r`)
    liveLength = 0
  }
  const note = (text: string) => {
    clear()
    err.write(`${text}\n`)
  }
  const problems = (list: readonly Problem[]) => {
    for (const problem of list) {
      const isError = problem.severity === 'error'
      note(`${paintNote(isError ? 'red' : 'yellow', problem.severity)} ${describeProblem(problem)}`)
    }
  }
  const print = (value: unknown) => out.write(`${JSON.stringify(value, null, 2)}\n`)
  return {
    isJson: json,
    isLive,
    paint: paintFor(out),
    note,
    problems,
    say(text) {
      if (json) return
      clear()
      out.write(`${text}\n`)
    },
    answer(value) {
      if (json) print(value)
    },
    fail(error) {
      if (json) {
        print({ error: toBody(error) })
        return
      }
      const listed = error instanceof FoundryError ? error.details['problems'] : undefined
      if (Array.isArray(listed)) {
        // Failures that list problems say each on a line of its own, rather than all in one sentence.
        note(`${paintNote('red', 'error')} ${reasonOf(error).split(': ')[0]}:`)
        problems(listed as Problem[])
      } else {
        note(`${paintNote('red', 'error')} ${reasonOf(error)}`)
      }
    },
    live(text) {
      if (!isLive) return
      const shown = text.slice(0, (err.columns ?? 80) - 1)
      err.write(`\r${shown}${' '.repeat(Math.max(0, liveLength - shown.length))}`)
      liveLength = shown.length
    },
  }
}

/** A failure for programs. */
export function toBody(error: unknown): { code: string; message: string; details: unknown } {
  const { code, details } = error instanceof FoundryError ? error : { code: 'FOUNDRY_FAILED', details: {} }
  return { code, message: reasonOf(error), details }
}

/** `1 job`, `2 jobs`. */
export function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** Columns aligned by the longest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, at) => (widths[at] = Math.max(widths[at] ?? 0, cell.length)))
  return rows
    .map(row => row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join('  '))
    .join('\n')
}
