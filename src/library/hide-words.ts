/** So many characters in a row tell something of a text. */
const runLengthMin = 12
const messageLengthMax = 4000

/** A message without what it repeats of texts: each run of 12 or more of their characters is `[input]`. Cut to 4,000 characters first. */
export function hideWords(message: string, texts: readonly string[]): string {
  const told = message.slice(0, messageLengthMax)
  let clean = ''
  for (let at = 0; at < told.length;) {
    const length = runLength(told, at, texts)
    clean += length > 0 ? '[input]' : told.charAt(at)
    at += length || 1
  }
  return clean
}

function runLength(told: string, at: number, texts: readonly string[]): number {
  const isRepeated = (length: number) => {
    const run = told.slice(at, at + length)
    return run.length === length && texts.some(text => text.includes(run))
  }
  if (!isRepeated(runLengthMin)) return 0
  let length = runLengthMin
  while (isRepeated(length + 1)) length++
  return length
}
