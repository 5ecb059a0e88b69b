import { Ajv } from 'ajv'
import { join } from 'node:path'
import t from 'tap'
import { packageRoot } from '../../../src/config/package-root.js'
import { parseDocument } from '../../../src/files/document.js'
import { validateDocument } from '../../../src/files/validate.js'
import { readStyles } from '../../../src/library/styles.js'
import { personaKitSchema } from '../../../src/schema/persona-kit.js'
import { findPublished, publishedSchemas } from '../../../src/schema/publish.js'

for (const [id, schema] of Object.entries(publishedSchemas)) {
  t.test(`${id} compiles strictly as its own draft says`, async t => {
    const ajv = new Ajv({ strict: true, allErrors: true, allowUnionTypes: true })
    t.type(ajv.compile(schema), 'function')
    t.equal(schema.$id, id)
    t.match(id, /^[a-z-]+\/\d+$/)
    t.ok(schema.title)
    t.strictSame(JSON.parse(JSON.stringify(schema)), schema, 'is plain JSON')
  })
}

t.test('every form that a text must have is told in words, with an example that has it', async t => {
  const look = (value: unknown, place: string): void => {
    if (typeof value !== 'object' || value === null) return
    const { pattern, description, examples } = value as { pattern?: unknown; description?: string; examples?: string[] }
    if (typeof pattern === 'string') {
      t.ok(description, `${place} has words`)
      t.match(examples?.[0], new RegExp(pattern), `${place} has an example`)
    }
    for (const [key, below] of Object.entries(value)) look(below, `${place}.${key}`)
  }
  for (const [id, schema] of Object.entries(publishedSchemas)) look(schema, id)
})

t.test('the schema of a kit tells the sliders and finishes that ship', async t => {
  const { styles } = await readStyles([join(packageRoot, 'plugins/styles-anime')])
  const { sliders, finish } = personaKitSchema.properties
  for (const [key, { left, right }] of Object.entries(styles[0]?.style.sliders ?? {}))
    t.match(sliders.description, `${key} (0 ${left.label}, 1 ${right.label})`)
  const names = Object.keys(styles[0]?.style.finish ?? {}).filter(name => name !== 'watercolor')
  t.ok(names.length > 10)
  for (const name of names) t.match(finish.description, new RegExp(`\\b${name}\\b`))
})

const hints = {
  'persona-kit/1': 'persona-kit/1',
  'schemas/persona-kit/1.json': 'persona-kit/1',
  '../../schemas/render-order/1': 'render-order/1',
  'https://example.com/foundry/template/1.json': 'template/1',
  'persona-kit/2': undefined,
  'persona-kit': undefined,
  'http://json-schema.org/draft-07/schema#': undefined,
  '': undefined,
}
for (const [hint, id] of Object.entries(hints))
  t.test(`the hint "${hint}" names ${id ?? 'nothing'}`, async t => t.equal(findPublished(hint)?.$id, id))

t.test('files that people write may name their schema', async t => {
  const ids = [
    'persona-kit/1',
    'render-order/1',
    'template/1',
    'style/1',
    'binding/1',
    'talent/1',
    'config/1',
    'prompts/1',
  ]
  for (const id of ids) {
    const document = parseDocument(`$schema: ${id}\n`, { file: 'a', format: 'yaml' })
    const { problems } = validateDocument(publishedSchemas[id] ?? {}, document)
    t.notOk(
      problems.some(p => p.path === '$schema'),
      id,
    )
  }
})
