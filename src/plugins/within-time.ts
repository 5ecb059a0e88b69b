/** What a promise gives, unless it takes longer (`Infinity`: it has a bound of its own). Rejects with a RangeError that says what was not done. */
export async function withinTime<Value>(value: Promise<Value>, limitMs: number, what: string): Promise<Value> {
  if (limitMs === Infinity) return value
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new RangeError(`${what} within ${limitMs} ms`)), limitMs)
  })
  return Promise.race([value, limit]).finally(() => clearTimeout(timer))
}
