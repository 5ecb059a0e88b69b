import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ApiGraph, ApiNode } from '../../../src/workflow/api-graph.js'

/** The folder of package.json: data files are read from the sources, wherever this file was compiled to. */
export const packageRoot = findRoot(dirname(fileURLToPath(import.meta.url)))
const fixtures = join(packageRoot, 'test/fixtures/workflows')

function findRoot(from: string): string {
  return existsSync(join(from, 'package.json')) ? from : findRoot(dirname(from))
}

export function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** Names of the graphs under test/fixtures/workflows. */
export function sampleNames(): string[] {
  const files = readdirSync(fixtures).filter(file => !/\.(expected|editor)\.json$/.test(file))
  return files.map(file => file.replace(/\.json$/, ''))
}

export function readSample(name: string): ApiGraph {
  return readJson(join(fixtures, `${name}.json`)) as ApiGraph // every sample is parsed by a test of its own
}

/** The same workflow as the editor saves it; only of those that are about traits of the editor. */
export function readEditorSample(name: string): Record<string, unknown> | undefined {
  const file = join(fixtures, `${name}.editor.json`)
  return existsSync(file) ? (readJson(file) as Record<string, unknown>) : undefined
}

export function readExpected(name: string): unknown {
  return readJson(join(fixtures, `${name}.expected.json`))
}

export function readObjectInfo(): Record<string, unknown> {
  return readJson(join(packageRoot, 'test/fixtures/object-info.json')) as Record<string, unknown>
}

export function node(class_type: string, inputs: Record<string, unknown> = {}, title?: string): ApiNode {
  return { class_type, inputs, ...(title !== undefined && { _meta: { title } }) }
}

/** A copy of a graph with some inputs of some nodes changed; undefined removes an input. */
export function changed(graph: ApiGraph, changes: Record<string, Record<string, unknown>>): ApiGraph {
  const copy = structuredClone(graph)
  for (const [id, inputs] of Object.entries(changes)) {
    const own = copy[id] ?? (copy[id] = node('Unknown'))
    for (const [input, value] of Object.entries(inputs)) {
      if (value === undefined) Reflect.deleteProperty(own.inputs, input)
      else own.inputs[input] = value
    }
  }
  return copy
}

/** Freezes a value and everything in it, so that whoever changes it throws. */
export function frozen<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(frozen)
  return value
}
