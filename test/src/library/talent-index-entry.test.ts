import { join } from 'node:path'
import t from 'tap'
import { listKits } from '../../../src/library/talent-index-entry.js'
import { readTalents } from '../../../src/library/talents.js'
import { makeLora } from '../../make-weights.js'
import { describedTalent } from './sample-talent.js'

const talentJson = (talent: object) => JSON.stringify({ ...describedTalent, ...talent })

const folder = t.testdir({
  'avatar.style.b': {
    'talent.json': talentJson({ id: 'avatar.style.b' }),
    'weights.safetensors': makeLora({ family: 'sd15', rank: 4, seed: 1, draft: true }),
  },
  'avatar.identity.a': {
    'talent.json': talentJson({
      id: 'avatar.identity.a',
      token: 'a',
      negatives: 'photo, text',
      created_at: '2025-08-20T14:03:11',
      intended_mix: ['avatar.style.b'],
      metadata: { description: 'A', tags: ['x'] },
    }),
    'weights.safetensors': '# Mock weights file\n',
  },
  'avatar.style.c': { 'talent.json': talentJson({ id: 'avatar.style.c' }) },
  'avatar.style.d': { 'talent.json': '{}', 'weights.safetensors': '' },
})

/** What Talent Factory's indexer prints for this folder. */
const printed = [
  {
    id: 'avatar.identity.a',
    path: join(folder, 'avatar.identity.a'),
    valid: true,
    ...describedTalent,
    created_at: '2025-08-20T14:03:11',
    token: 'a',
    negatives: 'photo, text',
    intended_mix: ['avatar.style.b'],
    metadata: { description: 'A', tags: ['x'] },
  },
  {
    id: 'avatar.style.b',
    path: join(folder, 'avatar.style.b'),
    valid: true,
    ...describedTalent,
    created_at: null,
    token: null,
    negatives: null,
    intended_mix: [],
    metadata: {},
  },
]

t.test('listKits prints what Talent Factory prints, in the same order of fields, and more', async t => {
  const entries = listKits(await readTalents([folder]))
  t.equal(entries.length, printed.length)
  for (const [at, expected] of printed.entries()) {
    const known = Object.entries(entries[at] ?? {}).slice(0, Object.keys(expected).length)
    t.same(
      known.map(([name]) => name),
      ['id', 'path', 'valid', ...Object.keys(expected).slice(3)],
    )
    t.same(Object.fromEntries(known), expected)
  }
  t.match(entries, [
    { usable: false, role: 'identity', problems: [/prompts/, /placeholder/, /LICENSE/] },
    { usable: true, role: 'style', weights: { family: 'sd15', rank: 4, draft: true, text_encoder: false } },
  ])
})

t.test('listKits names kits that are not valid only when asked', async t => {
  const entries = listKits(await readTalents([folder]), { includeInvalid: true })
  t.same(
    entries.map(entry => [entry.id, entry.valid]),
    [
      ['avatar.identity.a', true],
      ['avatar.style.b', true],
      ['avatar.style.c', false],
      ['avatar.style.d', false],
    ],
  )
  t.match(entries[2], { errors: [/weights\.safetensors/], warnings: [/prompts\.json/, /LICENSE/], usable: false })
  t.notOk(entries[2] && 'category' in entries[2])
})
