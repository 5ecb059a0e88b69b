import type {
  CodePlugin,
  CommitVerdict,
  DispatchVerdict,
  Gate,
  GatePlugin,
  Observer,
  ObserverPlugin,
} from '../contract.js'
import { type IsolationBounds, isolationBounds } from './bounds.js'
import type { Described } from './child-main.js'
import { type IsolatedCode, IsolatedCalls } from './isolated-calls.js'
import { IsolatedProcess } from './isolated-process.js'

/** A plugin that is called like any other, while its code runs elsewhere; or what it is instead of one that can be isolated. */
export type Isolated =
  GatePlugin | ObserverPlugin | { kind: Exclude<CodePlugin['kind'], 'gate' | 'observer'> } | undefined

/**
 * Learns from the code of a plugin what it is, in a process that is ended at once; to open it starts another one. Undefined where the code
 * is no plugin. Rejects with PLUGIN_HOOK_FAILED.
 */
export async function isolatedPlugin(of: IsolatedCode, some: Partial<IsolationBounds> = {}): Promise<Isolated> {
  const bounds = { ...isolationBounds, ...some }
  const process = new IsolatedProcess({ plugin: of.plugin, bounds })
  try {
    // `child-main.ts` has looked at it.
    const described = (await process.call({ hook: 'load', code: of.code }, { limitMs: bounds.loadMsMax })) as
      Described | undefined
    if (!described) return undefined
    const { kind, name, version, options } = described
    const open: Opener = async (options, { log }) => {
      const calls = new IsolatedCalls(of, { options, log, bounds })
      return { calls, hooks: await calls.start() }
    }
    if (kind === 'gate') return { kind, name, version, options, open: async (...given) => gateOf(await open(...given)) }
    if (kind === 'observer')
      return { kind, name, version, options, open: async (...given) => observerOf(await open(...given)) }
    return { kind }
  } finally {
    process.end('it is known')
  }
}

type Opener = (...given: Parameters<GatePlugin['open']>) => Promise<Opened>

interface Opened {
  calls: IsolatedCalls
  hooks: readonly string[]
}

/** Whoever asks a gate looks at each verdict. */
function gateOf({ calls, hooks }: Opened): Gate {
  return {
    ...(hooks.includes('beforeDispatch') && {
      beforeDispatch: facts => calls.ask('beforeDispatch', facts) as Promise<DispatchVerdict>,
    }),
    ...(hooks.includes('beforeCommit') && {
      beforeCommit: ({ bytes, ...facts }) => calls.ask('beforeCommit', facts, bytes) as Promise<CommitVerdict>,
    }),
    close: () => calls.close(),
  }
}

function observerOf({ calls }: Opened): Observer {
  return {
    told: async event => void (await calls.ask('told', event)),
    close: () => calls.close(),
  }
}
