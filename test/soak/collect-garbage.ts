/** Loaded into each thread of a daemon: what is garbage is no growth of its memory, and hides one of some MB. */
const everyMs = 10_000
const { gc } = globalThis
if (!gc) throw new Error('Node needs --expose-gc')
setInterval(() => void gc(), everyMs).unref()
