import { readdirSync, readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import t from 'tap'
import { parse } from 'yaml'
import { mix } from '../../../src/mixing/mix.js'
import { families, type Template, templateSchema } from '../../../src/schema/template.js'
import { mixInput } from '../../src/mixing/samples.js'

// From the compiled test back to the folder that holds the data.
const folder = new URL('../../../../plugins/templates-core/', import.meta.url)
const ending = '.template.yaml'
const isTemplate = new Ajv({ strict: true, useDefaults: true }).compile<Template>(templateSchema)

const sizes: Record<string, Record<string, string>> = {
  'character-sheet': { sd15: '448x832', sdxl: '832x1216', sd3: '832x1216', flux: '832x1216' },
  'expression-grid': { sd15: '512x512', sdxl: '1024x1024', sd3: '1024x1024', flux: '1024x1024' },
  backdrop: { sd15: '768x432', sdxl: '1368x768', sd3: '1344x768', flux: '1360x768' },
  'full-body': { sd15: '448x832', sdxl: '832x1216', sd3: '832x1216', flux: '832x1216' },
  'hero-portrait': { sd15: '512x768', sdxl: '1024x1024', sd3: '1024x1024', flux: '1024x1024' },
}

const names = readdirSync(folder)
  .filter(name => name.endsWith(ending))
  .map(name => name.slice(0, -ending.length))
  .sort()

t.strictSame(names, Object.keys(sizes).sort(), 'every template has a case here')

for (const name of names)
  t.test(`template ${name} is valid, sized for each family, and gives words`, async t => {
    const template: unknown = parse(readFileSync(new URL(`${name}${ending}`, folder), 'utf8'))
    if (!isTemplate(template)) return t.fail('valid', { errors: isTemplate.errors })
    t.equal(template.id, name)
    t.equal(template.subject, name === 'backdrop' ? 'backdrop' : 'persona')
    t.strictSame(template.workflows, name === 'backdrop' ? { sdxl: 'sdxl-backdrop' } : undefined)
    for (const family of families) {
      const size = template.sizes[family]
      t.equal(`${size?.width}x${size?.height}`, sizes[name]?.[family])
    }
    for (const { id } of template.views) {
      const { mix: mixed, problems } = mix(mixInput({ template, view: id }))
      t.strictSame(problems, [])
      t.ok(mixed.positive.some(({ source }) => source === `template ${name}`))
      t.ok(mixed.negative.some(({ source }) => source === `template ${name}`))
    }
  })
