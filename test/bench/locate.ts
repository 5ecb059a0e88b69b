import { parseDocument } from '../../src/files/document.js'
import { type Figures, quantile, round } from './bench.js'

const entries = 20_000
const places = 200
const rounds = 15

/** Problems of a large drop, each with its line: the text is read once for all of them. */
export async function run(): Promise<Figures> {
  const entry = (index: number) => ({ call_id: `call-${index}`, channel: 'left-vocals', speaker: 'S00' })
  const text = JSON.stringify(
    Array.from({ length: entries }, (_, index) => entry(index)),
    null,
    2,
  )
  const document = parseDocument(text, { file: 'drop', format: 'json' })
  const targets = Array.from({ length: places }, (_, index) => ({
    path: [entries - 1 - index * (entries / places), 'speaker'],
    part: 'value' as const,
  }))
  const medianMs = (some: typeof targets) =>
    quantile(
      Array.from({ length: rounds }, () => {
        const begin = performance.now()
        document.locateAll(some)
        return performance.now() - begin
      }),
      0.5,
    )
  const [oneMs, allMs] = [medianMs(targets.slice(0, 1)), medianMs(targets)]
  return {
    question: `the lines of ${places} values in a drop of ${entries} entries`,
    figures: { 'one value, ms': round(oneMs), 'all, ms': round(allMs), 'all ÷ one': round(allMs / oneMs) },
    bar: 'all ≤ 3 × one',
    pass: allMs <= 3 * oneMs,
  }
}
