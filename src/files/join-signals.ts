import { setMaxListeners } from 'node:events'

export interface JoinedSignal {
  signal: AbortSignal
  /** Lets go of the signals it was made of. */
  end(): void
}

/**
 * A signal that is aborted with the first of others, until it is ended. In Node 20 `AbortSignal.any` leaves something on a signal that lives
 * long each time it is called, for ever.
 */
export function joinSignals(...signals: readonly AbortSignal[]): JoinedSignal {
  const controller = new AbortController()
  const stops = signals.map(signal => {
    const stop = () => {
      end()
      controller.abort(signal.reason)
    }
    return { signal, stop }
  })
  const end = () => {
    for (const { signal, stop } of stops) signal.removeEventListener('abort', stop)
  }
  setMaxListeners(0, ...signals)
  for (const { signal, stop } of stops) signal.addEventListener('abort', stop)
  stops.find(({ signal }) => signal.aborted)?.stop()
  return { signal: controller.signal, end }
}

/** Does something for as long as none of the signals is aborted. */
export async function withAnySignal<Value>(
  signals: readonly AbortSignal[],
  act: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const joined = joinSignals(...signals)
  try {
    return await act(joined.signal)
  } finally {
    joined.end()
  }
}
