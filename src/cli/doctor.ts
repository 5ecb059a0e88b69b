import { constants, existsSync } from 'node:fs'
import { access, statfs } from 'node:fs/promises'
import type { Logger } from 'pino'
import { type Config, isHome } from '../config/config.js'
import { describeProblem, FoundryError, type Problem, reasonOf } from '../errors.js'
import { serverOpener } from '../farm/open-servers.js'
import type { ServerOptions } from '../farm/worker-host.js'
import { findNearMiss } from '../files/near-miss.js'
import { findOwner } from '../files/own-home.js'
import { remoteKind } from '../files/remote-folder.js'
import { openIndex } from '../library/talent-index.js'
import { createShelfReader, type Shelf } from '../operations/shelf.js'
import { loadPlugins, type PluginFolder } from '../plugins/load-plugins.js'
import { repairJournal } from '../record/journal-repair.js'
import { families } from '../schema/template.js'
import { type Finding, lookAtServers } from './doctor-servers.js'
import { exitCodes } from './exit-codes.js'
import { commandLog } from './log.js'
import { countUsable } from './talents-commands.js'
import type { Terminal } from './terminal.js'

const freeBytesMin = 1024 ** 3

/** Looks at everything that a render needs; exit 1 when something is wrong. */
export async function runDoctor(
  readConfig: () => Promise<Config>,
  terminal: Terminal,
  repair: boolean,
): Promise<number> {
  const findings: Finding[] = []
  const tell = (finding: Finding) => {
    findings.push(finding)
    const mark = {
      ok: terminal.paint('green', '✔'),
      warning: terminal.paint('yellow', '!'),
      wrong: terminal.paint('red', '✘'),
    }
    terminal.say(
      `${mark[finding.state]} ${finding.what}: ${finding.found}${finding.next === undefined ? '' : `\n    ${finding.next}`}`,
    )
  }
  const end = () => {
    const isWrong = findings.some(finding => finding.state === 'wrong')
    terminal.answer({ ok: !isWrong, findings })
    return isWrong ? exitCodes.someFailed : exitCodes.done
  }
  lookAtNode(tell)
  const config = await lookAtConfig(readConfig, tell)
  if (!config) return end()
  await lookAtHome(config, tell, repair)
  const { plugins, problems } = await loadPlugins(config)
  for (const problem of problems) tell({ what: 'plugin', state: 'wrong', found: describeProblem(problem) })
  tell({ what: 'plugins', state: 'ok', found: plugins.map(plugin => plugin.name).join(', ') })
  const log = commandLog(config, false)
  const shelf = await createShelfReader(config, await openIndex(config.paths.index), log)()
  lookAtShelf(shelf, tell)
  lookAtLimits(config, shelf, tell)
  await openAndLook(config, { plugins, shelf, log }, tell)
  return end()
}

async function lookAtConfig(
  readConfig: () => Promise<Config>,
  tell: (finding: Finding) => void,
): Promise<Config | undefined> {
  try {
    return await readConfig()
  } catch (error) {
    if (!(error instanceof FoundryError)) throw error
    const listed = error.details['problems']
    const found = Array.isArray(listed) ? (listed as Problem[]).map(describeProblem) : [error.message]
    for (const each of found)
      tell({ what: 'configuration', state: 'wrong', found: each, next: 'mend it: foundry schema config says how' })
    return undefined
  }
}

async function openAndLook(
  config: Config,
  { plugins, shelf, log }: { plugins: readonly PluginFolder[]; shelf: Shelf; log: Logger },
  tell: (finding: Finding) => void,
): Promise<void> {
  const stop = new AbortController()
  const opener = serverOpener(plugins, { log, signal: stop.signal })
  const servers: ServerOptions[] = []
  try {
    for (const entry of config.servers) servers.push(await opener.open(entry))
    await lookAtServers(servers, shelf, tell)
  } finally {
    stop.abort()
    for (const { connection } of servers) await connection.close()
    await opener.close()
  }
}

function lookAtNode(tell: (finding: Finding) => void): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const isFit = major > 20 || (major === 20 && minor >= 19)
  tell({
    what: 'Node',
    state: isFit ? 'ok' : 'wrong',
    found: process.version,
    ...(!isFit && { next: 'install Node 20.19 or newer' }),
  })
}

async function lookAtHome(config: Config, tell: (finding: Finding) => void, repair: boolean): Promise<void> {
  const { paths } = config
  if (!isHome(paths.home)) {
    const next = `foundry init ${paths.home} makes one, or name another with --home DIR`
    tell({ what: 'home', state: 'wrong', found: `${paths.home} is none`, next })
    return
  }
  tell({ what: 'home', state: 'ok', found: paths.home })
  for (const folder of [paths.home, paths.runs, paths.dot].filter(existsSync)) {
    const reason = await access(folder, constants.W_OK).then(() => undefined, reasonOf)
    if (reason !== undefined)
      tell({ what: folder, state: 'wrong', found: reason, next: `make it writable: chown -R $USER ${folder}` })
  }
  const disk = await statfs(paths.home)
  const free = disk.bavail * disk.bsize
  const isLow = free < freeBytesMin
  tell({
    what: 'disk',
    state: isLow ? 'warning' : 'ok',
    found: `${(free / 1024 ** 3).toFixed(1)} GiB free`,
    ...(isLow && { next: 'free space: foundry runs prune --days 30' }),
  })
  const remote = await remoteKind(existsSync(paths.dot) ? paths.dot : paths.home)
  if (remote !== undefined) {
    const next = 'keep the home on a disk of this machine'
    tell({
      what: 'journal',
      state: 'warning',
      found: `it lies on ${remote}, whose locks and syncs are not to be trusted`,
      next,
    })
  }
  const owner = await findOwner(paths.home)
  if (owner) {
    tell({ what: 'owner', state: 'ok', found: `process ${owner.pid} works on this home` })
  } else if (repair) {
    const { recordsKept, bytesSetAside } = await repairJournal(paths.journal)
    tell({ what: 'journal', state: 'ok', found: `${recordsKept} records kept, ${bytesSetAside} bytes set aside` })
  }
}

/** A limit that nothing bears the name of limits nothing: mostly it is misspelt. */
function lookAtLimits({ limits, servers }: Config, shelf: Shelf, tell: (finding: Finding) => void): void {
  const known = [...families, ...shelf.workflows.keys(), ...shelf.talents.keys()]
  const own = servers.map(server => ({ what: `limits of ${server.name}`, named: server.limits ?? {} }))
  for (const { what, named } of [{ what: 'limits', named: limits }, ...own]) {
    for (const name of Object.keys(named)) {
      if (known.includes(name)) continue
      const meant = findNearMiss(name, known)
      const hint = meant === undefined ? '' : `, did you mean "${meant}"?`
      const next = 'limits bear the name of a family, a workflow or a talent (see "foundry talents list")'
      tell({ what, state: 'warning', found: `nothing is named "${name}"${hint}`, next })
    }
  }
}

function lookAtShelf(shelf: Shelf, tell: (finding: Finding) => void): void {
  tell({ what: 'talents', state: 'ok', found: countUsable([...shelf.talents.values()], shelf.talents.size) })
  tell({
    what: 'templates',
    state: shelf.templates.size > 0 ? 'ok' : 'wrong',
    found: [...shelf.templates.keys()].join(', ') || 'none',
  })
  tell({
    what: 'workflows',
    state: shelf.workflows.size > 0 ? 'ok' : 'wrong',
    found: [...shelf.workflows.keys()].join(', ') || 'none',
  })
  for (const problem of shelf.problems) {
    tell({
      what: 'library',
      state: problem.severity === 'error' ? 'wrong' : 'warning',
      found: describeProblem(problem),
    })
  }
}
