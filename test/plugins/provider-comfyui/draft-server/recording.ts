import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One line of a recording. Which fields are there depends on `dir`. */
export interface Step {
  t_ms: number
  dir: 'http-request' | 'http-response' | 'ws-open' | 'ws-in' | 'ws-out' | 'ws-close' | 'note'
  req?: number
  label?: string
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: unknown
  status?: number | null
  error?: unknown
  conn?: string
  control?: string
  code?: number
  by?: string
  event?: string
  extensions?: string
  text?: string
}

export interface Recording {
  scenario: string
  steps: Step[]
}

/** The folder of the recordings of real servers, undefined where they are not. */
export function recordingsFolder(): string | undefined {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  const recordings = join(folder, '..', 'shared', 'recordings')
  return existsSync(recordings) ? recordings : undefined
}

/** A recording by version and number, e.g. `03`. */
export function readRecording(folder: string, version: string, number: string): Recording {
  const place = join(folder, `comfyui-${version}`)
  const file = readdirSync(place).find(each => each.startsWith(`${number}-`))
  return JSON.parse(readFileSync(join(place, String(file)), 'utf8')) as Recording
}
