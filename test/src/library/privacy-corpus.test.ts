import t from 'tap'
import { redact, scan } from '../../../src/library/privacy.js'
import { harmlessSamples, privateSamples } from './privacy-corpus.js'

/** Measured when the corpus was written; a change that finds less, or more than there is, must say so here. */
const foundMin = 0.99
const harmedMax = 0.01

t.test('the privacy gate finds personal data in many languages and forms', async t => {
  t.ok(privateSamples.length >= 300, `${privateSamples.length} texts`)
  const missed = privateSamples.filter(({ text, secret }) => redact(text).text.includes(secret))
  const rate = 1 - missed.length / privateSamples.length
  t.comment(`found ${(rate * 100).toFixed(1)} % of ${privateSamples.length} texts with personal data`)
  t.ok(rate >= foundMin, `found at least ${foundMin}`)
  for (const kind of new Set(privateSamples.map(each => each.kind))) {
    const all = privateSamples.filter(each => each.kind === kind)
    const some = all.filter(each => missed.includes(each))
    t.comment(`${kind}: ${all.length - some.length} of ${all.length}`)
  }
  for (const { kind, text } of missed.slice(0, 20)) t.comment(`missed ${kind}: ${text}`)
})

t.test('the privacy gate leaves the jargon of prompts alone', async t => {
  t.ok(harmlessSamples.length >= 300, `${harmlessSamples.length} texts`)
  const harmed = harmlessSamples.filter(text => scan(text).length > 0)
  const rate = harmed.length / harmlessSamples.length
  t.comment(`changed ${(rate * 100).toFixed(1)} % of ${harmlessSamples.length} texts without`)
  t.ok(rate <= harmedMax, `changed at most ${harmedMax}`)
  for (const text of harmed.slice(0, 20)) t.comment(`changed: ${redact(text).text}`)
})
