import { join } from 'node:path'
import t from 'tap'
import { readTemplates } from '../../../src/library/templates.js'

const template = (id: string) =>
  `id: ${id}\ntitle: T\nsubject: persona\nviews: [{id: front}]\nsizes:\n  sd15: {width: 512, height: 768}\n`

t.test('readTemplates reads templates by id, with defaults and hashes', async t => {
  const folder = t.testdir({
    a: { 'one.template.yaml': template('one'), 'notes.yaml': 'x: 1', '.two.template.yaml': 'x' },
  })
  const { templates, problems } = await readTemplates([join(folder, 'a'), join(folder, 'gone'), join(folder, 'a')])
  t.strictSame(problems, [])
  t.strictSame([...templates.keys()], ['one'])
  t.match(templates.get('one'), {
    template: { count: 1 },
    path: join(folder, 'a', 'one.template.yaml'),
    sha256: /^[0-9a-f]{64}$/,
  })
})

t.test('readTemplates tells what is wrong with each and keeps the others', async t => {
  const folder = t.testdir({
    'a.template.yaml': template('same'),
    'b.template.yml': template('same'),
    'c.template.yaml': template('views').replace('[{id: front}]', '[{id: front}, {id: front}]'),
    'd.template.yaml': template('size').replace('512', '500'),
    'e.template.yaml': `${template('family')}workflows: {sdlx: x}\n`,
    'f.template.yaml': 'id: [',
    'g.template.yaml': {},
  })
  const { templates, problems } = await readTemplates([folder])
  t.strictSame([...templates.keys()], ['same', 'views', 'family'])
  t.match(
    problems.map(p => `${p.file?.split('/').at(-1)}:${p.line} ${p.path} ${p.severity} ${p.code}`),
    [
      'b.template.yml:1 id error TEMPLATE_DUPLICATE',
      'c.template.yaml:4 views[1].id error TEMPLATE_VIEW_DUPLICATE',
      'd.template.yaml:6 sizes.sd15.width error DOCUMENT_VALUE_STEP',
      'e.template.yaml:7 workflows.sdlx warning TEMPLATE_FAMILY_UNKNOWN',
      'f.template.yaml:1 undefined error DOCUMENT_SYNTAX',
      'g.template.yaml:undefined undefined error FILE_NOT_REGULAR',
    ],
  )
  t.match(problems[3]?.message, /did you mean "sdxl"/)
})
