/**
 * JSON as Python writes it: `NaN` and the infinities may stand where a number belongs, and become null.
 * Integers beyond 2^53 are rounded. Throws SyntaxError for anything else that is not JSON.
 */
export function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (thrown) {
    if (!bareWord.test(text)) throw thrown
    return JSON.parse(text.replaceAll(stringOrBareWord, found => (found.startsWith('"') ? found : 'null'))) as unknown
  }
}

const bareWord = /NaN|Infinity/
const stringOrBareWord = /"[^"\\]*(?:\\.[^"\\]*)*"|-?Infinity|NaN/gs
