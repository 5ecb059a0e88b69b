/**
 * What a promise gives, unless it takes longer (`Infinity`: it has a bound of its own). Then rejects with what `over` answers, or a RangeError
 * that says what was not done.
 */
export async function withinTime<Value>(
  value: Promise<Value>,
  limitMs: number,
  over: string | (() => unknown),
): Promise<Value> {
  if (limitMs === Infinity) return value
  const late = () => (typeof over === 'string' ? new RangeError(`${over} within ${limitMs} ms`) : over())
  return race(value, limitMs, (_, reject) => reject(late()))
}

/** Waits for a promise, and no longer than the limit: what becomes of it later concerns nobody. Rejects as it does until then. */
export async function waitAtMost(value: Promise<unknown>, limitMs: number): Promise<void> {
  await race<unknown>(value, limitMs, resolve => resolve(undefined))
}

async function race<Value>(
  value: Promise<Value>,
  limitMs: number,
  atLimit: (resolve: (value: Value) => void, reject: (reason: unknown) => void) => void,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<Value>((resolve, reject) => {
    timer = setTimeout(atLimit, limitMs, resolve, reject)
  })
  return Promise.race([value, limit]).finally(() => clearTimeout(timer))
}
