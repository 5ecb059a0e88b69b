/** The first signal asks for an orderly end; another one ends the process at once. */
export function stopSignal(): Promise<string> {
  const signals = ['SIGTERM', 'SIGINT'] as const
  return new Promise(resolve => {
    const stop = (signal: string) => {
      for (const each of signals) process.off(each, stop)
      resolve(signal)
    }
    for (const each of signals) process.on(each, stop)
  })
}
