import t from 'tap'
import { sha256 } from '../../../src/files/hash.js'
import {
  backdropRequest,
  cutAtWord,
  toBackdropText,
  toPersonaText,
  toPlainWords,
} from '../../../src/library/private-text.js'

const markdown: Record<string, [string, string]> = {
  headings: ['# Persona\n\n## Looks ##\ntall', 'Persona: Looks: tall'],
  lists: ['- one\n* two\n+ three\n1. four\n- [x] five', 'one. two. three. four. five'],
  emphasis: ['**bold**, *thin*, __both__, `code`, ~~gone~~', 'bold, thin, both, code, gone'],
  'words with underscores': ['snake_case_name and a*b', 'snake_case_name and ab'],
  links: ['a [cap](https://example.com "t") and ![x](y.png) <https://example.com>', 'a cap and  https://example.com'],
  quotes: ['> she said\n> > again', 'she said. again'],
  'front matter': ['---\ntitle: x\n---\nwords', 'words'],
  'rules and fences': ['a\n---\n***\n```js\nb\n```', 'a. b'],
  tables: ['| hair | eyes |\n|---|:--:|\n| grey | green |', 'hair, eyes. grey, green'],
  HTML: ['<!-- no\nno -->a <b>bold</b> word<br/>', 'a bold word'],
  escapes: ['2 \\* 3 \\# x', '2  3 # x'],
  CRLF: ['# A\r\nb\r\n', 'A: b'],
  'ends of sentences': ['One.\nTwo!\nThree', 'One. Two! Three'],
  nothing: ['\n \n---\n', ''],
}
for (const [title, [text, words]] of Object.entries(markdown))
  t.test(`toPlainWords takes off ${title}`, async t => t.equal(toPlainWords(text), words))

t.test('toPersonaText redacts, bounds and hashes', async t => {
  const text = toPersonaText(`# P\nmail a@b.de ${'word '.repeat(1000)}`)
  t.match(text?.text, /^P: mail \[email\] word/)
  t.ok(text && text.text.length <= 1500 && text.text.length > 1490)
  t.equal(text?.sha256, sha256(text?.text ?? ''))
  t.equal(toPersonaText('# \n- \n'), undefined)
})

t.test('toBackdropText takes off time marks, redacts, and takes the first 400 characters', async t => {
  t.equal(
    toBackdropText('[00:00:01.000 - 00:00:05.400] S01: hi\n(12.5s - 13.0s) S02: call 415-555-0123')?.text,
    'S01: hi S02: call [phone]',
  )
  t.equal(toBackdropText('[laughs] well')?.text, '[laughs] well')
  t.equal(toBackdropText('x'.repeat(1000))?.text.length, 400)
  t.equal(toBackdropText(' \n'), undefined)
})

t.test('toBackdropText redacts what is spread over lines', async t => {
  t.equal(toBackdropText('it is\n4111\n1111\n1111\n1111\nI think')?.text, 'it is [card] I think')
  t.equal(toBackdropText('write to jane dot doe\nat gmail dot com')?.text, 'write to [email]')
})

t.test('cutAtWord cuts between words where it can, never through a character', async t => {
  t.equal(cutAtWord('one two three', 9), 'one two')
  t.equal(cutAtWord('one two', 7), 'one two')
  t.equal(cutAtWord('onetwothree', 5), 'onetw')
  t.equal(cutAtWord('ab😀cd', 3), 'ab')
})

t.test('the request for a backdrop is a fragment without private words', async t => {
  t.match(backdropRequest, { text: /backdrop/, source: 'backdrop request' })
  t.not(backdropRequest.private, true)
})

const hostile = ['[', '![](', '<a ', '_a ', '|', '> ', '`', '<!--', '\\', '- ', ' ', '#', ', ', '-- '].map(text =>
  text.repeat(32_768 / text.length),
)
for (const text of hostile)
  t.test(`toPersonaText is done with ${JSON.stringify(text.slice(0, 4))} in a row within 100 ms`, async t => {
    const start = process.cpuUsage()
    toPersonaText(text)
    const { user, system } = process.cpuUsage(start)
    t.ok((user + system) / 1000 < 100, `${(user + system) / 1000} ms`)
  })
