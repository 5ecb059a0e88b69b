import type { DispatchFacts, DispatchVerdict } from '../contract.js'

/** Words that must not be drawn, with who says so. */
export interface ForbiddenWords {
  words: string
  /** Such as `boundaries.words of aurora`. */
  source: string
}

/** Refuses prompts that ask for forbidden words, whatever their case, as whole words. Pure; names the words and both places. */
export function forbiddenWordsGate(forbidden: readonly ForbiddenWords[]): (facts: DispatchFacts) => DispatchVerdict {
  const forms = forbidden.flatMap(({ words, source }) => {
    const plain = toPlain(words)
    return plain === '  ' ? [] : [{ words, source, plain }]
  })
  return ({ positive, parameters }) => {
    const asked = Object.entries(parameters).map(([name, text]) => ({ text, source: `parameter ${name}` }))
    for (const { text, source: place } of [...positive, ...asked]) {
      const plain = toPlain(text)
      const found = forms.find(form => plain.includes(form.plain))
      if (found)
        return { verdict: 'refuse', reason: `"${found.words}" stands in ${place}, and ${found.source} forbids it` }
    }
    return { verdict: 'pass' }
  }
}

/** Words alone, with one space before, between and behind them. */
function toPlain(text: string): string {
  return ` ${text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()} `
}
