import { Ajv } from 'ajv'
import t from 'tap'
import { parseDocument } from '../../../src/files/document.js'
import { validateDocument } from '../../../src/files/validate.js'
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
