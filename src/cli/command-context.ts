import type { Command } from 'commander'
import type { Config, ConfigFlags } from '../config/config.js'
import { createTerminal, type Terminal } from './terminal.js'

export interface GlobalFlags {
  home?: string
  json?: boolean
  color?: boolean
  verbose?: boolean
}

/** What every command gets: its flags with the global ones, a terminal, and the configuration made from both. */
export interface CommandContext<Flags> {
  terminal: Terminal
  flags: Flags & GlobalFlags
  config(own?: ConfigFlags): Promise<Config>
  version: string
}

/** Adds commands to a program; each answers its exit code through `run`. */
export interface CommandHost {
  version: string
  run<Flags, Args extends unknown[]>(
    work: (context: CommandContext<Flags>, ...args: Args) => Promise<number>,
  ): (...args: unknown[]) => Promise<void>
}

/** `done` is told the exit code. */
export function createHost(version: string, done: (exitCode: number) => void): CommandHost {
  return {
    version,
    run:
      <Flags, Args extends unknown[]>(work: (context: CommandContext<Flags>, ...args: Args) => Promise<number>) =>
      async (...all: unknown[]) => {
        // Commander calls with the arguments of the command, its options, and the command itself.
        const command = all.at(-1) as Command
        const flags = command.optsWithGlobals<Flags & GlobalFlags>()
        const terminal = createTerminal({
          json: flags.json ?? false,
          colour: flags.color !== false && !process.env['NO_COLOR'],
        })
        const config = async (own: ConfigFlags = {}) => {
          const { loadConfig } = await import('../config/config.js')
          return loadConfig({ home: flags.home, ...own }, process.env, version)
        }
        done(await work({ terminal, flags, config, version }, ...(all.slice(0, -2) as Args)))
      },
  }
}

export function examples(list: readonly (readonly [command: string, why: string])[]): string {
  return `\nExamples:\n${list.map(([command, why]) => `  ${command}\n      ${why}`).join('\n')}\n`
}

export const exitCodeHelp = `
Exit codes: 0 all done or already done · 1 some failed · 2 bad input or usage · 3 no server · 124 timed out · 130 interrupted
`
