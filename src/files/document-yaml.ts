import type { Alias, Document, Node, Pair, ParsedNode, Scalar, YAMLError } from 'yaml'
import { Composer, CST, isAlias, isMap, isPair, isScalar, isSeq, Lexer, Parser, visit } from 'yaml'
import type { Reading, Target, TextProblem, ValuePath } from './document-contract.js'
import { DEPTH_MAX, PROBLEMS_MAX } from './document-contract.js'
import { formatPath } from './value-path.js'

/** Bound the time of one document: the cost of YAML grows with tokens, not bytes. */
const TOKENS_MAX = 100_000
const ANCHORS_MAX = 500
/** Values after aliases are written out. */
const VALUES_MAX = 200_000
/** The same message again within so many characters is taken for an echo. */
const ECHO_LENGTH_MAX = 16
const COMMENT_LENGTH_MAX = 200

/** YAML 1.2, core schema, one document; merge keys and unknown tags are refused. */
export function readYaml(text: string): Reading {
  const tokens = parseTokens(text)
  if ('code' in tokens)
    return { value: undefined, problems: [tokens], locateAll: locateNothing, sourceOf: () => undefined }
  const composed = compose(tokens.parsed, text)
  const problems = composed.problems
  const root = composed.document?.contents
  if (!root || (isScalar(root) && root.source === '' && !root.type?.startsWith('QUOTE')))
    return {
      value: undefined,
      problems: problems.length > 0 ? problems : [empty],
      locateAll: locateNothing,
      sourceOf: () => undefined,
    }
  const values = new ValueReader()
  const value = values.read(root, [])
  return {
    value: problems.length === 0 && values.isSound ? value : undefined,
    problems: [...problems, ...values.problems.filter(each => !isEchoOfIndent(each, problems, text))].slice(
      0,
      PROBLEMS_MAX,
    ),
    locateAll: targets => targets.map(target => locateNode(root, target)),
    sourceOf: path => {
      const node = findNode(root, path)?.value
      return isScalar(node) ? node.source || commentAt(text, node.range?.[0]) : undefined
    },
  }
}

const empty: TextProblem = { severity: 'error', code: 'DOCUMENT_EMPTY', message: 'is empty', offset: 0 }

/** Where a value is missing, a comment may stand: `primary: #1F6F78` was meant as text. */
function commentAt(text: string, offset = text.length): string {
  const line = text.slice(offset, offset + COMMENT_LENGTH_MAX).split('\n', 1)[0] ?? ''
  return /^[ \t]*(#.*?)\s*$/.exec(line)?.[1] ?? ''
}

function locateNothing(targets: readonly Target[]): undefined[] {
  return targets.map(() => undefined)
}

/** The parser keeps its own stack, so depth is judged here, before anything recursive sees the text. */
function parseTokens(text: string): { parsed: CST.Token[] } | TextProblem {
  const parser = new Parser()
  const parsed: CST.Token[] = []
  let offset = 0
  let count = 0
  let anchors = 0
  for (const lexeme of new Lexer().lex(text)) {
    if (++count > TOKENS_MAX)
      return refuseAt(offset, 'DOCUMENT_TOO_LARGE', 'holds too many values for YAML: write it as JSON')
    if (/^[&*!]/.test(lexeme) && ++anchors > ANCHORS_MAX)
      return refuseAt(offset, 'DOCUMENT_ALIAS_BOMB', `holds more than ${ANCHORS_MAX} anchors, aliases and tags`)
    for (const token of parser.next(lexeme)) parsed.push(token)
    if (parser.stack.length > DEPTH_MAX + 2)
      return refuseAt(offset, 'DOCUMENT_TOO_DEEP', `is nested too deeply: at most ${DEPTH_MAX} levels are read`)
    if (!isMark(lexeme)) offset += lexeme.length
  }
  for (const token of parser.end()) parsed.push(token)
  return { parsed }
}

/** Marks of the lexer that stand for no character of the text. */
function isMark(lexeme: string): boolean {
  return lexeme === CST.DOCUMENT || lexeme === CST.FLOW_END || lexeme === CST.SCALAR
}

function refuseAt(offset: number, code: string, message: string): TextProblem {
  return { severity: 'error', code, message, offset }
}

type Parsed = Document.Parsed<ParsedNode>

function compose(tokens: readonly CST.Token[], text: string): { document?: Parsed; problems: TextProblem[] } {
  const composer = new Composer({ version: '1.2', schema: 'core', merge: false, uniqueKeys: false, strict: true })
  const [document, second] = composer.compose(tokens, false, text.length) as Iterable<Parsed>
  if (!document) return { problems: [] }
  const all = [...document.errors, ...document.warnings]
    .slice(0, PROBLEMS_MAX)
    .map(error => blameLine(toProblem(error), { error, document, text }))
  const problems = all.filter(isNoEcho).filter((each, index, list) => !isEchoOfIndent(each, list.slice(0, index), text))
  if (second)
    problems.push(refuseAt(second.range[0], 'DOCUMENT_MULTIPLE', 'a second document starts here: a file holds one'))
  return { document, problems }
}

/** One mistake makes YAML stumble over the same thing again and again. */
function isNoEcho({ offset, message }: TextProblem, index: number, all: readonly TextProblem[]): boolean {
  const before = all[index - 1]
  return (
    before === undefined ||
    (before.offset !== offset && (before.message !== message || offset - before.offset > ECHO_LENGTH_MAX))
  )
}

/** YAML notices some mistakes late: what is blamed is the line that a person has to mend. */
function blameLine(
  problem: TextProblem,
  { error, document, text }: { error: YAMLError; document: Parsed; text: string },
): TextProblem {
  if (/Missing closing .*quote|\bFlow (?:map|seq)|flow (?:map|sequence) to end/i.test(error.message)) {
    const open = openMark(document, error.pos[0])
    return open === undefined ? problem : { ...problem, offset: open, message: notClosed(text[open]) }
  }
  if (error.code !== 'BLOCK_AS_IMPLICIT_KEY' && error.code !== 'MULTILINE_IMPLICIT_KEY') return problem
  const start = text.lastIndexOf('\n', problem.offset - 1) + 1
  if (text.slice(start, problem.offset).trim() === '' && text[problem.offset] === ' ')
    return { ...problem, message: sentences.BAD_INDENT ?? problem.message }
  const [own = '', ...below] = text.slice(start, start + INDENT_LOOK_LENGTH_MAX).split('\n')
  const next = below.findIndex(line => line.trim() !== '')
  const line = below[next] ?? ''
  if (indentOf(line) <= indentOf(own) || !/^\s*[^\s#].*:(?:\s|$)/.test(line)) return problem
  const before = [own, ...below.slice(0, next)].reduce((length, each) => length + each.length + 1, 0)
  return { ...problem, offset: start + before + indentOf(line), message: indentedTooFar }
}

const indentedTooFar = 'is indented further than the field above, which has a value already: begin both in one column'
const INDENT_LOOK_LENGTH_MAX = 2000

function indentOf(line: string): number {
  return /^ */.exec(line)?.[0].length ?? 0
}

/** The innermost quote or bracket that is still open at the end of what was read of it. */
function openMark(document: Parsed, end: number): number | undefined {
  let open: number | undefined
  const look = (range: Node['range']) => {
    if (range && range[0] < end && range[1] >= end) open = range[0]
  }
  visit(document, {
    Scalar: (_, { type, range }) => (type?.startsWith('QUOTE') ? look(range) : undefined),
    Collection: (_, { flow, range }) => (flow ? look(range) : undefined),
  })
  return open
}

function notClosed(mark: string | undefined): string {
  return mark === '[' || mark === '{'
    ? 'this bracket is not closed, or what it holds is not indented'
    : 'this quote is not closed'
}

/** A line that is indented wrongly is told once: what else YAML finds in it follows from that. */
function isEchoOfIndent({ offset }: TextProblem, before: readonly TextProblem[], text: string): boolean {
  return before.some(
    each =>
      (each.message === indentedTooFar || each.message === sentences.BAD_INDENT) &&
      offset > each.offset &&
      !text.slice(each.offset, offset).includes('\n'),
  )
}

function toProblem(error: YAMLError): TextProblem {
  return {
    severity: 'error',
    code: error.code === 'TAG_RESOLVE_FAILED' ? 'DOCUMENT_TAG_UNKNOWN' : 'DOCUMENT_SYNTAX',
    message: sentences[error.code] ?? 'this is not valid YAML',
    offset: error.pos[0],
  }
}

const sentences: Partial<Record<YAMLError['code'], string>> = {
  ALIAS_PROPS: 'an alias takes no anchor and no tag',
  BAD_ALIAS: 'this alias is not well written; text that starts with * stands in quotes',
  BAD_COLLECTION_TYPE: 'list and fields are mixed here',
  BAD_DIRECTIVE: 'this directive is not known',
  BAD_DQ_ESCAPE: 'this escape is unknown: write a backslash as \\\\, or use single quotes',
  BAD_INDENT: 'the indentation does not fit, or a bracket is not closed',
  BAD_PROP_ORDER: 'anchor or tag stands at the wrong place',
  BAD_SCALAR_START: 'text cannot start with this character: put it in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a colon too many, or text with a colon that needs quotes',
  BLOCK_IN_FLOW: 'indented lists and fields cannot stand inside brackets',
  IMPOSSIBLE: 'this is not valid YAML',
  KEY_OVER_1024_CHARS: 'the name of a field is too long',
  MISSING_CHAR: 'something is missing here: a comma, a colon, a closing quote or a bracket',
  MULTILINE_IMPLICIT_KEY: 'a colon with a space behind it is missing, or the name of a field runs over two lines',
  MULTIPLE_ANCHORS: 'a value has one anchor at most',
  MULTIPLE_DOCS: 'a second document starts here: a file holds one',
  MULTIPLE_TAGS: 'a value has one tag at most',
  TAB_AS_INDENT: 'a tab stands in the indentation: use spaces',
  TAG_RESOLVE_FAILED: 'this tag is not known: write the plain value',
  UNEXPECTED_TOKEN: 'this is not expected here: check quotes, brackets and indentation',
}

/** Makes plain values of nodes: text, numbers, lists, objects. */
class ValueReader {
  readonly problems: TextProblem[] = []
  /** False once a mistake leaves open what is meant. */
  isSound = true
  #values = 0
  #anchored = new Map<string, { value: unknown; values: number }>()

  read(node: unknown, path: ValuePath): unknown {
    this.#values++
    if (isAlias(node)) return this.#readAlias(node, path)
    const before = this.#values
    const value = this.#readPlain(node, path)
    const anchor = (node as Node | null)?.anchor
    // Known only from here on, so that no value can hold itself.
    if (anchor) this.#anchored.set(anchor, { value, values: this.#values - before + 1 })
    return value
  }

  #readPlain(node: unknown, path: ValuePath): unknown {
    if (isMap(node)) return this.#readMap(node.items, path)
    if (isSeq(node)) return node.items.map((item, index) => this.#readItem(item, [...path, index]))
    if (isScalar(node)) return this.#readScalar(node, path)
    return null
  }

  /** `[a: 1]` is a list with one object. */
  #readItem(item: unknown, path: ValuePath): unknown {
    return isPair(item) ? this.#readMap([item], path) : this.read(item, path)
  }

  #readMap(items: readonly Pair[], path: ValuePath): unknown {
    const object: Record<string, unknown> = {}
    for (const { key, value } of items) {
      const name = keyOf(key)
      const refusal = name === undefined ? noPlainKey : refusedKeys.get(name)
      if (name === undefined || refusal) {
        this.#report({ offset: offsetOf(key), path, ...(refusal ?? noPlainKey) })
        continue
      }
      const below = [...path, name]
      if (Object.hasOwn(object, name))
        this.#report({
          offset: offsetOf(key),
          path: below,
          code: 'DOCUMENT_KEY_DUPLICATE',
          message: 'stands here more than once: keep one',
          leaves: 'no doubt',
        })
      object[name] = this.read(value, below)
    }
    return object
  }

  #readScalar({ value, source = '', range }: Scalar, path: ValuePath): unknown {
    const place = { offset: range?.[0] ?? 0, path, found: source }
    if (typeof value === 'number' && !Number.isFinite(value))
      this.#report({
        ...place,
        code: 'DOCUMENT_NUMBER_INVALID',
        message: 'infinite and undefined numbers are not read',
      })
    else if (typeof value === 'number' && /^[-+]?0\d/.test(source))
      this.#report({
        ...place,
        severity: 'warning',
        code: 'DOCUMENT_NUMBER_AMBIGUOUS',
        message: 'readers differ about leading zeros: leave them out of a number, put a text in quotes',
        leaves: 'no doubt',
      })
    else if (typeof value === 'string' && /\p{Surrogate}/u.test(value))
      this.#report({ ...place, found: undefined, code: 'DOCUMENT_ENCODING', message: 'holds half a character' })
    return value
  }

  #readAlias(alias: Alias, path: ValuePath): unknown {
    const place = { offset: offsetOf(alias), path }
    const anchored = this.#anchored.get(alias.source)
    if (!anchored) {
      const message = 'this alias has no anchor before it; text that starts with * stands in quotes'
      this.#report({ ...place, code: 'DOCUMENT_SYNTAX', message, found: `*${alias.source}` })
      return null
    }
    this.#values += anchored.values
    if (this.#values <= VALUES_MAX && path.length + heightOf(anchored.value) <= DEPTH_MAX)
      return structuredClone(anchored.value)
    // One message is enough: every later alias would repeat it.
    if (this.isSound)
      this.#report({ ...place, code: 'DOCUMENT_ALIAS_BOMB', message: 'aliases make this document too large' })
    return null
  }

  #report(mistake: Mistake): void {
    const { offset, path, code, message, found, severity = 'error', leaves = 'doubt' } = mistake
    if (leaves === 'doubt') this.isSound = false
    if (this.problems.length >= PROBLEMS_MAX) return
    const at = formatPath(path)
    const facts = { ...(at && { path: at }), ...(found !== undefined && { found: found.slice(0, 40) }) }
    this.problems.push({ severity, code, message, offset, ...facts })
  }
}

interface Mistake {
  offset: number
  path: ValuePath
  code: string
  message: string
  found?: string | undefined
  severity?: TextProblem['severity']
  leaves?: 'doubt' | 'no doubt'
}

const noPlainKey = { code: 'DOCUMENT_SYNTAX', message: 'the name of a field must be plain text' }
const refusedKeys = new Map([
  ['__proto__', { code: 'DOCUMENT_KEY_RESERVED', message: 'the name __proto__ is reserved' }],
  ['<<', { code: 'DOCUMENT_KEY_RESERVED', message: 'merge keys are not read: write the fields out' }],
])

function keyOf(key: unknown): string | undefined {
  return isScalar(key) && key.value !== null ? String(key.value) : undefined
}

function offsetOf(node: unknown): number {
  return (node as Node | null)?.range?.[0] ?? 0
}

function heightOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Object.values(value).reduce<number>((height, each) => Math.max(height, heightOf(each)), 0)
}

function locateNode(root: Node, { path, part }: Target): number | undefined {
  const found = findNode(root, path)
  const node = part === 'key' ? (found?.key ?? found?.value) : (found?.value ?? found?.key)
  return (node as Node | null | undefined)?.range?.[0]
}

function findNode(root: Node, path: ValuePath): { key?: unknown; value: unknown } | undefined {
  return path.reduce<{ key?: unknown; value: unknown } | undefined>((at, part) => at && findBelow(at.value, part), {
    value: root,
  })
}

function findBelow(node: unknown, part: string | number): { key?: unknown; value: unknown } | undefined {
  if (isMap(node)) return node.items.findLast(({ key }) => keyOf(key) === part)
  if (isSeq(node) && typeof part === 'number') {
    const item = node.items[part]
    return isPair(item) ? item : { value: item }
  }
  return undefined
}
