import { readdir } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/config.js'
import { hasErrors } from '../errors.js'
import { hookKinds } from '../plugins/contract.js'
import { loadPlugins, type PluginFolder } from '../plugins/load-plugins.js'
import { exitCodes } from './exit-codes.js'
import { table, type Terminal } from './terminal.js'

const entriesMax = 10_000
const hashShown = 12

/** `foundry plugins list`: exit 1 where a plugin cannot be used. */
export async function listPlugins(config: Config, terminal: Terminal): Promise<number> {
  const { plugins, leftOut, problems } = await loadPlugins(config)
  const listed = await Promise.all(plugins.map(describePlugin))
  const unused = leftOut.filter(({ name }) => !plugins.some(each => each.name === name))
  terminal.answer({ plugins: listed, leftOut, problems })
  const rows = listed.map(({ name, kinds, version, sha256, from, isolated, tookMs, hooks }) => [
    `${name} `,
    `${kinds.join(', ') || 'nothing'} `,
    `${version} `,
    `${sha256?.slice(0, hashShown) ?? ''} `,
    `${from} `,
    `${tookMs} ms${isolated ? ', isolated' : ''} `,
    hooks.map(hook => `${hook.name} (${hook.kind})`).join(', '),
  ])
  terminal.say(dotted([['PLUGIN', 'KINDS', 'VERSION', 'CODE', 'FROM', 'LOADED IN', 'HOOKS'], ...rows]))
  for (const { name, from, reason } of unused)
    terminal.say(`${terminal.paint('red', 'left out')} ${name} (${from}): ${reason}`)
  if (!terminal.isJson) terminal.problems(problems)
  return hasErrors(problems) ? exitCodes.someFailed : exitCodes.done
}

/** Dots lead the eye from the name of a plugin to its facts. */
function dotted(rows: readonly (readonly string[])[]): string {
  const nameMax = Math.max(...rows.map(([name = '']) => name.length))
  return table(rows.map(([name = '', ...rest], at) => [at === 0 ? name : name.padEnd(nameMax + 1, '.'), ...rest]))
}

async function describePlugin(plugin: PluginFolder) {
  const { name, version, sha256, from, isIsolated, tookMs } = plugin
  return {
    name,
    kinds: await kindsOf(plugin),
    version,
    ...(sha256 !== undefined && { sha256 }),
    from,
    isolated: isIsolated,
    tookMs,
    hooks: hooksOf(plugin).map(hook => ({ name: hook, kind: hookKinds[hook] })),
  }
}

/** What it may be asked: which of these a gate has, only opening it would tell. */
function hooksOf({ provider, gate, observer }: PluginFolder): (keyof typeof hookKinds)[] {
  return [
    ...(provider?.startDraftServer ? (['startDraftServer'] as const) : []),
    ...(gate ? (['beforeDispatch', 'beforeCommit'] as const) : []),
    ...(observer ? (['told'] as const) : []),
  ]
}

async function kindsOf({ folder, provider, engine, storage, gate, observer }: PluginFolder): Promise<string[]> {
  const names = (await readdir(folder)).slice(0, entriesMax)
  const code = [provider, engine, storage, gate, observer].flatMap(each => (each ? [each.kind] : []))
  const data = [
    ...(names.some(name => /^style\.ya?ml$/i.test(name)) ? ['style'] : []),
    ...(names.some(name => /\.template\.ya?ml$/i.test(name)) ? ['template'] : []),
    ...(names.some(name => existsSync(join(folder, name, 'talent.json'))) ? ['talent'] : []),
  ]
  return [...code, ...data]
}
