import { existsSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { failure, FoundryError } from '../errors.js'
import { isWorkflowPath } from '../operations/choose-workflow.js'
import type { Band } from '../schema/run.js'
import type { Family } from '../schema/template.js'
import type { CommandContext } from './command-context.js'
import { exitCodes } from './exit-codes.js'
import { render, type RenderOptions } from './render.js'
import type { Terminal } from './terminal.js'

export interface ServerFlags {
  server?: string[]
  draft?: boolean
}

interface WaitFlags {
  timeout?: number
  onDone?: string
  dryRun?: boolean
  verbose?: boolean
}

export interface RenderFlags extends ServerFlags, WaitFlags {
  templates?: string[]
  workflow?: string
  family?: Family
  seed?: number
  count?: number
  set?: Record<string, number[]>
  sheet?: boolean
  finish?: string
  param?: Record<string, string[]>
  reference?: string[]
  prompt?: string
  use?: 'commercial'
  fresh?: boolean
  priority?: Band
  weight?: number
  label?: string[]
  preview?: number
}

export interface AvatarFlags extends WaitFlags {
  personaManifest: string
  outputRoot: string
  avatarWorkflow?: string
  backdropWorkflow?: string
  initialPrompt: string
  apiUrl: string
  batchSize: number
  draft?: boolean
}

/** `foundry render`. Answers the exit code. */
export async function runRender(
  { terminal, flags, config }: CommandContext<RenderFlags>,
  paths: readonly string[],
): Promise<number> {
  const { server: servers, draft, family } = flags
  return render(paths, await config({ servers, draft, family }), terminal, renderOptions(flags))
}

/** `foundry plan`. Answers the exit code. */
export function runPlan(context: CommandContext<RenderFlags>, paths: readonly string[]): Promise<number> {
  return runRender({ ...context, flags: { ...context.flags, dryRun: true } }, paths)
}

/** `foundry avatars`. Answers the exit code. */
export async function runAvatars({ terminal, flags, config }: CommandContext<AvatarFlags>): Promise<number> {
  const { draft, apiUrl, personaManifest, outputRoot, dryRun } = flags
  const chosen = await config({ servers: draft ? undefined : [apiUrl], serverOption, draft })
  checkOutputRoot(outputRoot)
  const options = avatarOptions(flags)
  const exitCode = await render([personaManifest], chosen, terminal, options).catch((error: unknown) => {
    const isUnanswered = error instanceof FoundryError && error.code === 'SERVER_NONE'
    if (!isUnanswered || !Array.isArray(error.details['tried'])) throw error
    const tried = error.details['tried'].map(String)
    throw failure('SERVER_NONE', { tried, option: serverOption }, error)
  })
  const isOver = exitCode === exitCodes.done || exitCode === exitCodes.someFailed
  if (isOver && !dryRun) sayAvatars(resolve(outputRoot, 'comfyui_images/avatar'), terminal)
  return exitCode
}

const serverOption = '--api-url'

function checkOutputRoot(dir: string): void {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory()) return
  const problem = `--output-root ${dir} is no folder (looked for ${resolve(dir)})`
  throw failure('USAGE_INVALID', { problem, next: 'name the run-* folder that holds characters/ and speakers/' })
}

/** Where the older tools look. */
function sayAvatars(folder: string, terminal: Terminal): void {
  const index = join(folder, 'image_manifest.json')
  if (existsSync(index)) terminal.say(`avatars     ${folder}\n  index     ${index}`)
}

function renderOptions(flags: RenderFlags): RenderOptions {
  const { templates, workflow, family, seed, count, set, param, sheet, finish, prompt, fresh, dryRun, draft, server } =
    flags
  const { use, priority, weight, label: labels, preview, reference } = flags
  return {
    submission: {
      ...(templates && { templates }),
      // Another process may do the work, in another folder.
      ...(workflow !== undefined && { workflow: isWorkflowPath(workflow) ? resolve(workflow) : workflow }),
      ...(family !== undefined && { family }),
      ...(seed !== undefined && { seed }),
      ...(count !== undefined && { count }),
      ...(set && { set }),
      ...(sheet && { sheet }),
      ...(finish !== undefined && { finish }),
      ...(param && { parameters: param }),
      // Another process may do the work, in another folder.
      ...(reference && { references: reference.map(each => resolve(each)) }),
      ...(prompt !== undefined && { prompt }),
      ...(fresh && { fresh }),
      ...(use && { use }),
      ...(priority !== undefined && { priority }),
      ...(weight !== undefined && { weight }),
      ...(labels && { labels }),
      ...(preview !== undefined && { preview }),
      ...(dryRun && { dryRun }),
    },
    ...waiting(flags),
    ...(draft ? { asksFor: 'draft' as const } : server && { asksFor: 'servers' as const }),
  }
}

function avatarOptions(flags: AvatarFlags): RenderOptions {
  const { outputRoot, batchSize, avatarWorkflow, backdropWorkflow, initialPrompt, dryRun, draft } = flags
  const workflow = workflowNamed('--avatar-workflow', avatarWorkflow)
  const backdrop = workflowNamed('--backdrop-workflow', backdropWorkflow)
  return {
    submission: {
      callFolder: resolve(outputRoot),
      inFlightMax: batchSize,
      ...(workflow !== undefined && { workflow }),
      ...(backdrop !== undefined && { backdropWorkflow: backdrop }),
      ...(initialPrompt.trim() !== '' && { prompt: initialPrompt }),
      ...(dryRun && { dryRun }),
    },
    ...waiting(flags),
    asksFor: draft ? 'draft' : 'servers',
  }
}

/** A name of the library as it is, a path as an absolute one. Throws USAGE_INVALID where no such file lies. */
function workflowNamed(option: string, name: string | undefined): string | undefined {
  if (name === undefined || !isWorkflowPath(name)) return name
  const path = resolve(name)
  if (statSync(path, { throwIfNoEntry: false })?.isFile()) return path
  const problem = `${option} ${name} is no file (looked for ${path})`
  throw failure('USAGE_INVALID', {
    problem,
    next: 'name a ComfyUI API file, or leave the option out for the usual workflow',
  })
}

function waiting({ verbose, timeout, onDone }: WaitFlags): Omit<RenderOptions, 'submission'> {
  return {
    isVerbose: verbose ?? false,
    ...(timeout !== undefined && { timeoutMs: timeout * 1000 }),
    ...(onDone !== undefined && { onDone }),
  }
}
