import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface HomeOptions {
  /** Pictures of the order `order.yaml`; 0 writes none. */
  slots: number
  /** Exact seeds, one for each picture. */
  seeds?: readonly number[]
  /** The one server; or, with `servers`, none. */
  serverUrl?: string
  /** Several servers, each its own keys. */
  servers?: readonly Record<string, unknown>[]
  depth?: number
  /** Further keys of the server entry. */
  server?: Record<string, unknown>
  /** Each picture also on a composite. */
  composites?: boolean
  /** Further keys of `foundry.yaml`. */
  config?: Record<string, unknown>
}

/** Writes a home whose pictures are 64 pixels wide, and one order in its watched folder. Answers the order's path. */
export function makeHome(home: string, options: HomeOptions): string {
  const { serverUrl, depth = 2, server = {}, config = {} } = options
  const servers = options.servers ?? [{ name: 'gpu', url: serverUrl, depth, ...server }]
  mkdirSync(join(home, 'manifests', 'examples'), { recursive: true })
  mkdirSync(join(home, 'templates'), { recursive: true })
  const entries = servers.map(each => ({ options: { renderer: 'draft' }, ...each }))
  // JSON is YAML.
  writeFileSync(join(home, 'foundry.yaml'), JSON.stringify({ servers: entries, ...config }))
  const composite = options.composites ? 'composite: { columns: 1, tile: 64 }\n' : ''
  writeFileSync(join(home, 'templates', 'tiny.template.yaml'), `${template}${composite}...\n`)
  writeFileSync(join(home, 'manifests', 'examples', 'pip.yaml'), kit)
  return writeOrder(home, 'order', options.slots, options.seeds)
}

/** Drops a render order into the home. */
export function writeOrder(home: string, name: string, count: number, seeds?: number | readonly number[]): string {
  const path = join(home, 'manifests', `${name}.yaml`)
  const chosen = typeof seeds === 'object' ? { seeds } : { seed: seeds ?? 1, count }
  const order = { $schema: 'render-order/1', name, personas: ['examples/pip.yaml'], templates: ['tiny'], ...chosen }
  if (count > 0) writeFileSync(path, `${JSON.stringify(order)}\n...\n`)
  return path
}

const template = `$schema: template/1
id: tiny
title: Tiny
subject: persona
words: [small]
views:
  - id: front
sizes:
  sd15: { width: 64, height: 64 }
`
const kit = `$schema: persona-kit/1
dot_id: pip
version: 1.0.0
name: Pip
description: a small blue robot
...
`
