/** A file that is no valid drop, and the problem that must be among the answers. */
export interface MalformedDrop {
  /** Unique, with the kind of breakage in it. */
  name: string
  bytes: Buffer
  expected: { code: string; path?: string }
}

/** The same seed gives the same files: every kind of breakage in turn, each with random details. */
export function* makeMalformedDrops(count: number, seed: number): Generator<MalformedDrop> {
  const random = randomFrom(seed)
  const kinds = Object.entries(breakages)
  for (let index = 0; index < count; index++) {
    const [kind, make] = kinds[index % kinds.length] ?? ['', breakages['empty']]
    if (!make) continue
    const { text, ending = 'json', ...expected } = make(new Dice(random))
    const name = `${String(index).padStart(5, '0')}-${kind.replaceAll(' ', '-')}.${ending}`
    yield { name, bytes: typeof text === 'string' ? Buffer.from(text) : text, expected }
  }
}

interface Broken {
  text: string | Buffer
  /** `json` unless told. */
  ending?: 'json' | 'yaml'
  code: string
  path?: string
}

type Breakage = (dice: Dice) => Broken

class Dice {
  constructor(readonly next: () => number) {}

  /** A whole number, both ends included. */
  number(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  word(): string {
    return Array.from({ length: this.number(3, 9) }, () => String.fromCharCode(this.number(97, 122))).join('')
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.number(0, items.length - 1)] ?? items[0]
  }

  kit(): Record<string, unknown> {
    return {
      dot_id: this.word(),
      version: `${this.number(0, 9)}.${this.number(0, 9)}.${this.number(0, 9)}`,
      description: `${this.word()} ${this.word()}`,
      sliders: { mecha: this.number(0, 100) / 100, animal: this.number(0, 100) / 100 },
      palette: { primary: '#1F6F78' },
    }
  }

  order(): Record<string, unknown> {
    return { personas: [`${this.word()}.yaml`], templates: ['hero-portrait'], seed: this.number(0, 1e9) }
  }

  manifest(): Record<string, unknown>[] {
    return Array.from({ length: this.number(1, 5) }, (_, index) => ({
      call_id: `call-${this.number(0, 9999)}`,
      channel: 'left-vocals',
      speaker: `S${String(index).padStart(2, '0')}`,
      persona_path: `characters/${this.word()}/persona.md`,
    }))
  }
}

const breakages: Record<string, Breakage> = {
  empty: dice => ({ text: dice.pick(['', ' ', '\n\n', '\uFEFF']), code: 'DOCUMENT_EMPTY' }),
  'empty yaml': dice => ({ text: `# ${dice.word()}\n`, ending: 'yaml', code: 'DOCUMENT_EMPTY' }),
  truncated: dice => {
    const text = JSON.stringify(dice.kit())
    return { text: text.slice(0, dice.number(1, text.length - 1)), code: 'DOCUMENT_INCOMPLETE' }
  },
  'too large': () => ({ text: Buffer.alloc(8 * 2 ** 20 + 1, 0x20), code: 'FILE_TOO_LARGE' }),
  'too large yaml': () => ({ text: Buffer.alloc(2 ** 20, 0x20), ending: 'yaml', code: 'FILE_TOO_LARGE' }),
  deep: dice => ({ text: '['.repeat(dice.number(65, 10_000)), code: 'DOCUMENT_TOO_DEEP' }),
  'deep yaml': dice => ({
    text: `a: ${'['.repeat(dice.number(66, 10_000))}`,
    ending: 'yaml',
    code: 'DOCUMENT_TOO_DEEP',
  }),
  'bad utf-8': dice => {
    const bytes = Buffer.from(JSON.stringify(dice.kit()))
    bytes[dice.number(0, bytes.length - 1)] = 0xff
    return { text: bytes, code: 'DOCUMENT_ENCODING' }
  },
  'utf-16': dice => ({
    text: Buffer.from(`\uFEFF${JSON.stringify(dice.kit())}`, 'utf16le'),
    code: 'DOCUMENT_ENCODING',
  }),
  'zero bytes': dice => ({ text: Buffer.alloc(dice.number(1, 500)), code: 'DOCUMENT_ENCODING' }),
  'duplicate key': dice => ({
    text: JSON.stringify(dice.kit()).replace('{', `{"dot_id": "${dice.word()}", `),
    code: 'DOCUMENT_KEY_DUPLICATE',
    path: 'dot_id',
  }),
  'duplicate key yaml': dice => ({
    text: `dot_id: ${dice.word()}x\nversion: 1.0.0\nsliders:\n  mecha: 0\n  mecha: 1\n...\n`,
    ending: 'yaml',
    code: 'DOCUMENT_KEY_DUPLICATE',
    path: 'sliders.mecha',
  }),
  'reserved key': () => ({
    text: '{"dot_id": "a", "__proto__": {}}',
    code: 'DOCUMENT_KEY_RESERVED',
    path: '__proto__',
  }),
  comma: dice => ({ text: JSON.stringify(dice.kit()).replace(/}$/, ',}'), code: 'DOCUMENT_SYNTAX' }),
  'not a number': dice => ({
    text: JSON.stringify(dice.kit()).replace(/"mecha":[\d.]+/, `"mecha":${dice.pick(['NaN', '.5', '+1', '01'])}`),
    code: 'DOCUMENT_SYNTAX',
    path: 'sliders.mecha',
  }),
  'alias bomb': dice => ({
    text: Array.from(
      { length: 12 },
      (_, i) =>
        `a${i}: &a${i} [${Array(dice.number(9, 12))
          .fill(i ? `*a${i - 1}` : 'x')
          .join(', ')}]`,
    ).join('\n'),
    ending: 'yaml',
    code: 'DOCUMENT_ALIAS_BOMB',
  }),
  'merge key': dice => ({
    text: `dot_id: ${dice.word()}\n<<: {version: 1.0.0}\n`,
    ending: 'yaml',
    code: 'DOCUMENT_KEY_RESERVED',
  }),
  tag: dice => ({ text: `dot_id: !${dice.word()} x\n`, ending: 'yaml', code: 'DOCUMENT_TAG_UNKNOWN' }),
  tab: dice => ({ text: `sliders:\n\t${dice.word()}: 1\n`, ending: 'yaml', code: 'DOCUMENT_SYNTAX' }),
  'two documents': dice => ({ text: `dot_id: ${dice.word()}\n---\na: 1\n`, ending: 'yaml', code: 'DOCUMENT_MULTIPLE' }),
  kind: dice => ({ text: JSON.stringify({ [dice.word() + dice.word()]: 1 }), code: 'DROP_KIND_UNKNOWN' }),
  scalar: dice => ({
    text: JSON.stringify(dice.pick<unknown>([dice.word(), dice.number(0, 99), true, null])),
    code: 'DROP_KIND_UNKNOWN',
  }),
  'both kinds': dice => ({ text: JSON.stringify({ ...dice.kit(), ...dice.order() }), code: 'DROP_KIND_UNKNOWN' }),
  schema: dice => ({
    text: JSON.stringify({ $schema: `persona-kit/${dice.number(2, 99)}`, ...dice.kit() }),
    code: 'DROP_SCHEMA_UNKNOWN',
    path: '$schema',
  }),
  'kit without version': dice => {
    const { version: _, ...kit } = dice.kit()
    return { text: JSON.stringify(kit), code: 'DOCUMENT_REQUIRED', path: 'version' }
  },
  'kit id': dice => ({
    text: JSON.stringify({ ...dice.kit(), dot_id: `../${dice.word()}` }),
    code: 'DOCUMENT_PATTERN',
    path: 'dot_id',
  }),
  'kit version': dice => ({
    text: JSON.stringify({ ...dice.kit(), version: `v${dice.number(1, 9)}` }),
    code: 'DOCUMENT_PATTERN',
    path: 'version',
  }),
  'kit slider range': dice => ({
    text: JSON.stringify({ ...dice.kit(), sliders: { mecha: 0.5, animal: dice.number(2, 99) } }),
    code: 'DOCUMENT_VALUE_RANGE',
    path: 'sliders.animal',
  }),
  'kit slider type': dice => ({
    text: JSON.stringify({ ...dice.kit(), sliders: { mecha: dice.word() } }),
    code: 'DOCUMENT_TYPE',
    path: 'sliders.mecha',
  }),
  'kit colour': dice => ({
    text: JSON.stringify({ ...dice.kit(), palette: { accent: dice.word() } }),
    code: 'DOCUMENT_PATTERN',
    path: 'palette.accent',
  }),
  'kit id as number yaml': dice => ({
    text: `dot_id: 0${dice.number(1, 999)}\nversion: 1.0.0\n...\n`,
    ending: 'yaml',
    code: 'DOCUMENT_TYPE',
    path: 'dot_id',
  }),
  'order without personas': () => ({
    text: JSON.stringify({ personas: [] }),
    code: 'DOCUMENT_LENGTH',
    path: 'personas',
  }),
  'order unknown field': dice => {
    const name = `x${dice.word()}`
    return { text: JSON.stringify({ ...dice.order(), [name]: 1 }), code: 'DOCUMENT_PROPERTY_UNKNOWN', path: name }
  },
  'order seed': dice => ({
    text: JSON.stringify({ ...dice.order(), seed: -dice.number(1, 1e9) }),
    code: 'DOCUMENT_VALUE_RANGE',
    path: 'seed',
  }),
  'order seed type yaml': dice => ({
    text: `personas: [${dice.word()}.yaml]\nseeds: [1, 1_${dice.number(100, 999)}]\n...\n`,
    ending: 'yaml',
    code: 'DOCUMENT_TYPE',
    path: 'seeds[1]',
  }),
  'order sweep': dice => ({
    text: JSON.stringify({ ...dice.order(), set: { mecha: [0, dice.number(2, 9)] } }),
    code: 'DOCUMENT_VALUE_RANGE',
    path: 'set.mecha[1]',
  }),
  'order missing kit': dice => ({
    text: JSON.stringify({ personas: [`missing-${dice.word()}.yaml`] }),
    code: 'FILE_UNREADABLE',
    path: 'personas[0]',
  }),
  'order escaping kit': dice => ({
    text: JSON.stringify({
      personas: [
        dice.pick([
          '../../../etc/passwd',
          '/etc/passwd',
          'C:\\kits\\a.yaml',
          '..\\..\\..\\kit.yaml',
          'a/../../../b.json',
        ]),
      ],
    }),
    code: 'PATH_ESCAPES',
    path: 'personas[0]',
  }),
  'manifest empty': () => ({ text: '[]', code: 'DOCUMENT_LENGTH' }),
  'manifest entry': dice => ({ text: JSON.stringify([...dice.manifest(), dice.number(0, 9)]), code: 'DOCUMENT_TYPE' }),
  'manifest without path': dice => {
    const manifest = dice.manifest()
    const index = dice.number(0, manifest.length - 1)
    delete manifest[index]?.['persona_path']
    return { text: JSON.stringify(manifest), code: 'DOCUMENT_REQUIRED', path: `[${index}].persona_path` }
  },
  'manifest call id': dice => {
    const manifest = dice.manifest()
    const index = dice.number(0, manifest.length - 1)
    Object.assign(manifest[index] ?? {}, { call_id: dice.pick(['../x', 'a/b', '.hidden', 'a b', '']) })
    return { text: JSON.stringify(manifest), code: 'DOCUMENT_PATTERN', path: `[${index}].call_id` }
  },
}

/** Numbers from 0 up to 1, excluded; the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
