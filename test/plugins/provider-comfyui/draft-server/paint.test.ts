import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import sharp from 'sharp'
import t from 'tap'
import type { DraftPicture } from '../../../../plugins/provider-comfyui/draft-server/draft-picture.js'
import { designCharacter } from '../../../../plugins/provider-comfyui/draft-server/paint-character.js'
import { chooseLayout } from '../../../../plugins/provider-comfyui/draft-server/paint-layout.js'
import { drawDraft, paintDraft } from '../../../../plugins/provider-comfyui/draft-server/paint.js'

const base: DraftPicture = {
  width: 256,
  height: 384,
  seed: 1234,
  subject: 'ayla_stone',
  template: 'hero-portrait',
  view: 'front',
  words: 'a calm engineer in a teal flight jacket',
  isPrivate: false,
  sliders: { mecha: 0.35, animal: 0.65 },
  palette: { primary: '#2F6F73', secondary: '#E0B989', accent: '#E8743B' },
  loras: [{ talent: 'ayla', effective: 0.8 }],
  family: 'sd15',
  index: 0,
}

const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const paint = (part: Partial<DraftPicture>) => paintDraft({ ...base, ...part })
const full = { width: 512, height: 768 }
const draw = (part: Partial<DraftPicture>) => drawDraft({ ...base, ...full, ...part }, chooseLayout(512, 768))

t.test('paintDraft gives a PNG of the asked size without text chunks', async t => {
  for (const [width, height] of [
    [64, 64],
    [64, 2048],
    [2048, 64],
    [333, 777],
    [2048, 2048],
    [1, 1],
    [3000, 40],
  ] as const) {
    const png = await paint({ width, height })
    t.match(await sharp(png).metadata(), { format: 'png', width, height, channels: 3 }, `${width} × ${height}`)
    t.notMatch(png.toString('latin1'), /tEXt|iTXt|zTXt|eXIf/)
  }
})

t.test('paintDraft paints the same picture again', async t => {
  for (const part of [{}, full, { width: 64, height: 64 }]) t.equal(hash(await paint(part)), hash(await paint(part)))
})

t.test('paintDraft paints 200 seeds differently, even at 64 × 64', async t => {
  const painted = await Promise.all(Array.from({ length: 200 }, (_, seed) => paint({ seed, width: 64, height: 64 })))
  t.equal(new Set(painted.map(hash)).size, 200)
  const decoded = await Promise.all(painted.map(png => sharp(png).raw().toBuffer()))
  t.equal(new Set(decoded.map(hash)).size, 200, 'the pixels differ, not only the files')
})

t.test('paintDraft shows every fact', async t => {
  const changes: Partial<DraftPicture>[] = [
    { subject: 'bruno' },
    { template: 'full-body' },
    { view: 'profile' },
    { index: 1 },
    { words: 'another text' },
    { sliders: { mecha: 0.36, animal: 0.65 } },
    { palette: { primary: '#2F6F74' } },
    { finish: 'gloss' },
    { loras: [{ talent: 'ayla', effective: 0.81 }] },
    { family: 'sdxl' },
    { drift: 0.1 },
  ]
  const plain = draw({})
  const withoutFingerprint = (svg: string) => svg.replaceAll(/<path[^>]*crispEdges"\/>/g, '')
  for (const change of changes) {
    t.not(withoutFingerprint(draw(change)), withoutFingerprint(plain), JSON.stringify(change))
  }
})

t.test('every template has a scene of its own', async t => {
  const templates = [
    'hero-portrait',
    'full-body',
    'character-sheet',
    'expression-grid',
    'backdrop',
    'unheard-of',
    undefined,
  ]
  const views = ['front', 'three-quarter-left', 'profile-right', 'back', 'joy', undefined]
  const { template: _, view: __, ...rest } = base
  const painted = new Set<string>()
  for (const template of templates) {
    for (const view of views) {
      painted.add(hash(await paintDraft({ ...rest, ...(template && { template }), ...(view && { view }) })))
    }
  }
  t.equal(painted.size, templates.length * views.length)
})

t.test('a character keeps its looks from seed to seed, and loses them as it drifts', async t => {
  const colours = (svg: string) => new Set(svg.match(/#[0-9a-f]{6}/g))
  const shared = (a: Set<string>, b: Set<string>) => [...a].filter(colour => b.has(colour)).length / a.size
  const faithful = colours(draw({ seed: 1 }))
  const again = shared(faithful, colours(draw({ seed: 1, drift: 0 })))
  const other = shared(faithful, colours(draw({ seed: 1, drift: 1 })))
  t.equal(again, 1)
  t.ok(other < 0.5, `${other} of the colours remain`)
})

t.test('the hair is that of the palette, else that of the words, else that of the name', async t => {
  const hairOf = (part: Partial<DraftPicture>) => designCharacter({ ...base, palette: {}, ...part }).hairColour
  const own = hairOf({})
  t.equal(hairOf({ words: 'a woman with long silver hair, red coat' }), '#c3c7cc')
  t.equal(hairOf({ words: 'red coat, Silver-haired, blue eyes' }), '#c3c7cc')
  t.equal(hairOf({ words: 'hair is black' }), '#211d24')
  t.equal(hairOf({ words: 'a blonde in a car' }), '#e4c583')
  t.not(hairOf({ words: 'dark brown hair' }), hairOf({ words: 'brown hair' }))
  for (const words of [
    'a red coat, hair in a bun',
    'a brown hat over her hair',
    'silver hairpin in a bun',
    'chairs of red',
  ])
    t.equal(hairOf({ words }), own, words)
  t.equal(hairOf({ words: 'silver hair', palette: { hair: '#3b6fd1' } }), '#3b6fd1', 'the palette says it')
  t.equal(hairOf({ words: 'silver hair', palette: { primary: '#3b6fd1' } }), '#c3c7cc', 'the palette does not')
  t.equal(hairOf({ words: 'silver hair', isPrivate: true }), own, 'private words say nothing')
})

t.test('both axes change the figure at each pole, and not in the middle', async t => {
  const figure = (sliders: Record<string, number>) => draw({ template: 'full-body', sliders }).length
  const middle = figure({ mecha: 0.5, animal: 0.5 })
  for (const sliders of [
    { mecha: 0, animal: 0.5 },
    { mecha: 1, animal: 0.5 },
    { mecha: 0.5, animal: 0 },
    { mecha: 0.5, animal: 1 },
  ]) {
    t.ok(figure(sliders) > middle + 500, `${JSON.stringify(sliders)} adds marks`)
  }
})

t.test('private words are never drawn', async t => {
  const { words: _, ...silent } = base
  const planted = await paintDraft({
    ...silent,
    ...full,
    isPrivate: true,
    words: 'call me at 555-0100',
    negative: 'secret',
  })
  t.equal(hash(planted), hash(await paintDraft({ ...silent, ...full, isPrivate: true })))
  t.not(hash(planted), hash(await paintDraft({ ...silent, ...full })), 'the picture says that its text is private')
})

t.test('paintDraft survives hostile text and numbers', async t => {
  const texts = {
    markup: '</svg><script>alert(1)</script>&lt;&#0;]]>"\'',
    controls: '\u0000\u0001\u001b[31m\u202e\u2028\ufeff',
    'half a surrogate pair': 'a\ud83d b\udc00',
    'foreign letters': '漢字 العربية 🦊👩‍🚀',
    'stacked accents': `Z${'\u0301'.repeat(500)}`,
    length: 'wide '.repeat(100_000),
    blanks: ' \n\t ',
    prototype: '__proto__',
  }
  for (const [title, text] of Object.entries(texts)) {
    const hostile: DraftPicture = {
      ...full,
      seed: Number.MAX_SAFE_INTEGER,
      isPrivate: false,
      words: text,
      negative: text,
      template: text,
      view: text,
      subject: text,
      finish: text,
      family: text,
      sliders: { [text]: Number.NaN, mecha: -7, animal: Infinity },
      palette: { primary: text, secondary: '#12', accent: 'url(#c1)' },
      loras: [{ talent: text, effective: Number.NaN }],
      index: 0,
      drift: Number.NaN,
    }
    t.match(await sharp(await paintDraft(hostile)).metadata(), full, title)
    t.notMatch(drawDraft(hostile, chooseLayout(512, 768)), /script|NaN|Infinity|undefined|<text/, title)
  }
})

t.test('letters need no font of the system', async t => {
  const module = new URL('../../../../plugins/provider-comfyui/draft-server/paint.js', import.meta.url).href
  const script = `
    import { createHash } from 'node:crypto'
    const { paintDraft } = await import(${JSON.stringify(module)})
    const png = await paintDraft(${JSON.stringify({ ...base, ...full })})
    process.stdout.write(createHash('sha256').update(png).digest('hex'))`
  const env = { ...process.env, FONTCONFIG_FILE: '/dev/null', FONTCONFIG_PATH: '/nonexistent', NODE_OPTIONS: '' }
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env })
  t.equal(stdout, hash(await paint(full)))
})
