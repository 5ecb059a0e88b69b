/** Makes a queue for each key: what is done under the same key follows one another, whatever became of the one before. */
export function takeTurns<Key>(): <Result>(key: Key, act: () => Promise<Result>) => Promise<Result> {
  const last = new Map<Key, Promise<unknown>>()
  return async (key, act) => {
    const before = last.get(key) ?? Promise.resolve()
    const turn = before.then(act, act)
    last.set(key, turn)
    try {
      return await turn
    } finally {
      if (last.get(key) === turn) last.delete(key)
    }
  }
}
