import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface HomeOptions {
  /** Pictures of the order `order.yaml`; 0 writes none. */
  slots: number
  serverUrl: string
  depth?: number
  /** Further keys of the server entry. */
  server?: Record<string, unknown>
  /** Further keys of `foundry.yaml`. */
  config?: Record<string, unknown>
}

/** Writes a home whose pictures are 64 pixels wide, and one order in its watched folder. Answers the order's path. */
export function makeHome(home: string, options: HomeOptions): string {
  const { serverUrl, depth = 2, server = {}, config = {} } = options
  mkdirSync(join(home, 'manifests', 'examples'), { recursive: true })
  mkdirSync(join(home, 'templates'), { recursive: true })
  const entry = { name: 'gpu', url: serverUrl, depth, options: { renderer: 'draft' }, ...server }
  // JSON is YAML.
  writeFileSync(join(home, 'foundry.yaml'), JSON.stringify({ servers: [entry], ...config }))
  writeFileSync(join(home, 'templates', 'tiny.template.yaml'), template)
  writeFileSync(join(home, 'manifests', 'examples', 'pip.yaml'), kit)
  return writeOrder(home, 'order', options.slots)
}

/** Drops a render order into the home. */
export function writeOrder(home: string, name: string, count: number, seed = 1): string {
  const path = join(home, 'manifests', `${name}.yaml`)
  const order = { $schema: 'render-order/1', name, personas: ['examples/pip.yaml'], templates: ['tiny'], seed, count }
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
...
`
const kit = `$schema: persona-kit/1
dot_id: pip
version: 1.0.0
name: Pip
description: a small blue robot
...
`
