import { styleText } from 'node:util'
import { describeProblem, FoundryError, type Problem, reasonOf } from '../errors.js'

type Style = Parameters<typeof styleText>[0]

/** Where a command says things: results to stdout, everything else to stderr. The only part that prints. */
export interface Terminal {
  isJson: boolean
  isLive: boolean
  /** A result for people; nothing in JSON mode. */
  say(text: string): void
  /** The result for programs; nothing otherwise. */
  answer(value: unknown): void
  note(text: string): void
  problems(problems: readonly Problem[]): void
  fail(error: unknown): void
  /** One line that is written over again; on a terminal only. */
  live(text: string): void
  paint(style: Style, text: string): string
}

export interface TerminalOptions {
  json: boolean
  colour: boolean
}

export function createTerminal({ json, colour }: TerminalOptions): Terminal {
  const isLive = process.stderr.isTTY === true && !json
  const hasColour = colour && isLive
  let liveLength = 0
  const paint = (style: Style, text: string) => (hasColour ? styleText(style, text) : text)
  const clear = () => {
    if (liveLength > 0) process.stderr.write(`\r${' '.repeat(liveLength)}\r`)
    liveLength = 0
  }
  const note = (text: string) => {
    clear()
    process.stderr.write(`${text}\n`)
  }
  return {
    isJson: json,
    isLive,
    paint,
    note,
    say(text) {
      if (json) return
      clear()
      process.stdout.write(`${text}\n`)
    },
    answer(value) {
      if (json) process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
    },
    problems(problems) {
      for (const problem of problems) {
        const isError = problem.severity === 'error'
        note(`${paint(isError ? 'red' : 'yellow', problem.severity)} ${describeProblem(problem)}`)
      }
    },
    fail(error) {
      if (json) {
        const { code, details } = error instanceof FoundryError ? error : { code: 'FOUNDRY_FAILED', details: {} }
        process.stdout.write(`${JSON.stringify({ error: { code, message: reasonOf(error), details } }, null, 2)}\n`)
        return
      }
      const listed = error instanceof FoundryError ? error.details['problems'] : undefined
      if (Array.isArray(listed) && error instanceof FoundryError) {
        // Failures that list problems say each on a line of its own, rather than all in one sentence.
        note(`${paint('red', 'error')} ${reasonOf(error).split(': ')[0]}:`)
        this.problems(listed as Problem[])
      } else {
        note(`${paint('red', 'error')} ${reasonOf(error)}`)
      }
    },
    live(text) {
      if (!isLive) return
      const width = process.stderr.columns ?? 80
      const shown = text.slice(0, width - 1)
      process.stderr.write(`\r${shown}${' '.repeat(Math.max(0, liveLength - shown.length))}`)
      liveLength = shown.length
    },
  }
}

/** Columns aligned by the longest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, at) => (widths[at] = Math.max(widths[at] ?? 0, cell.length)))
  return rows
    .map(row => row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join('  '))
    .join('\n')
}
