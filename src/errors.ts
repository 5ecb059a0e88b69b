/**
 * Everything that can go wrong, by code. A code is for programs and is never renamed; details are for screens;
 * the sentence is for people: what happened, to which thing, what to do next.
 * Mistakes in a user's file are not thrown: they are returned as `Problem`s, all at once.
 */

/** Details of every core failure. Plugins add codes of their own with `defineErrors`. */
export interface Details {
  CONFIG_INVALID: { file: string; problems: readonly Problem[] }
  USAGE_INVALID: { problem: string; next: string }
  FILE_TOO_LARGE: { file: string; sizeBytes: number; sizeBytesMax: number }
  FILE_NOT_REGULAR: { file: string }
  FILE_CHANGED_WHILE_READ: { file: string }
  FILE_UNREADABLE: { file: string; reason: string }
  PATH_ESCAPES: { path: string; root: string }
  FILE_WRITE_FAILED: { file: string; reason: string }
  JSON_NOT_CANONICAL: { reason: string }
  HOME_OWNED: { home: string; owner: string }
  HOME_OWNERSHIP_LOST: { home: string; epoch: number; found: number }
  HOME_MISSING: { home: string }
  JOURNAL_CORRUPT: { segment: string; offset: number; reason: string }
  JOURNAL_BROKEN: { reason: string }
  DROP_INVALID: { drop: string; problems: readonly Problem[] }
  RUN_UNKNOWN: { run: string }
  RUN_AMBIGUOUS: { run: string; runs: readonly string[] }
  RUN_STATE_UNFIT: { run: string; state: string; operation: string }
  JOB_UNKNOWN: { job: string }
  SLOT_UNKNOWN: { run: string; slot: string }
  SUBJECT_UNKNOWN: { run: string; subject: string; known: readonly string[] }
  PERSONA_UNKNOWN: { persona: string; meant?: string; known: readonly string[] }
  SLOTS_UNFIT: { run: string; part: string; operation: string }
  SOURCE_CHANGED: { what: string }
  REFERENCE_MISSING: { sha256: string }
  PLUGIN_INVALID: { problems: readonly Problem[] }
  GATE_REFUSED: { gate: string; reason: string }
  PLUGIN_HOOK_FAILED: { plugin: string; hook: string; reason: string }
  TEMPLATE_UNKNOWN: { template: string; known: readonly string[] }
  WORKFLOW_UNKNOWN: { workflow: string; known: readonly string[] }
  WORKFLOW_UNBOUND: { workflow: string; problems: readonly Problem[] }
  WORKFLOW_NEEDS_SERVER: { file: string; tried: readonly string[] }
  TALENT_UNKNOWN: { talent: string; known: readonly string[] }
  WEIGHTS_INVALID: { file: string; problems: readonly Problem[] }
  SERVER_NONE: { tried: readonly string[]; option?: string }
  SERVER_UNKNOWN: { server: string; known: readonly string[] }
  SERVER_UNFIT: { server: string; problems: readonly Problem[] }
  SERVER_INVALID: { server: string; problems: readonly Problem[] }
  SERVER_EXISTS: { server: string }
  SERVER_ADDRESS_TAKEN: { server: string }
  OUTPUT_INVALID: { reason: string }
  PICTURES_FAILED: { reason: string }
  IMAGE_UNTRACED: { image: string }
  IMAGE_ALTERED: { image: string }
  IMAGE_DAMAGED: { image: string; reason: string }
  IMAGE_PRIVATE: { image: string; run: string }
  VERIFY_FAILED: { run: string; differences: number }
  OWNER_STARTING: Record<string, never>
  OWNER_AWAY: { owner: string; reason: string }
  WORKER_EXISTS: { worker: string }
  WORKER_UNKNOWN: { worker: string }
  ENGINE_NONE: Record<string, never>
  STORAGE_MISSING: { file: string }
  STORAGE_AWAY: { storage: string; reason: string }
  TIMED_OUT: { what: string; limitMs: number }
  INTERRUPTED: { what: string }
  OPERATION_INVALID: { operation: string; problems: readonly Problem[] }
  PRIVATE_TEXT_REJECTED: { where: string; kinds: readonly string[] }
}

export type ErrorCode = keyof Details

const sentences: { [Code in ErrorCode]: (details: Details[Code]) => string } = {
  CONFIG_INVALID: d => `${d.file} is not a valid configuration: ${listProblems(d.problems)}`,
  USAGE_INVALID: d => `${d.problem}: ${d.next}`,
  FILE_TOO_LARGE: d => `${d.file} has ${d.sizeBytes} bytes, more than the ${d.sizeBytesMax} that are read`,
  FILE_NOT_REGULAR: d => `${d.file} is not a regular file: only plain files are read`,
  FILE_CHANGED_WHILE_READ: d => `${d.file} changed while it was read: it is looked at again once it is quiet`,
  FILE_UNREADABLE: d => `${d.file} cannot be read (${d.reason})`,
  PATH_ESCAPES: d => `"${d.path}" leads outside of ${d.root}: only paths inside are followed`,
  FILE_WRITE_FAILED: d => `${d.file} cannot be written (${d.reason}): free space or mend the folder, then start again`,
  JSON_NOT_CANONICAL: d => `The value has no canonical JSON form: ${d.reason}`,
  HOME_OWNED: d => `${d.home} is already worked on by ${d.owner}: stop that process, or let this command talk to it`,
  HOME_OWNERSHIP_LOST: d =>
    `${d.home} was taken over (epoch ${d.found}, ours is ${d.epoch}): this process stops writing at once`,
  HOME_MISSING: d =>
    `${d.home} is not a foundry home: go to one, name it with --home DIR, or create one with "foundry init ${d.home}"`,
  JOURNAL_CORRUPT: d =>
    `The journal segment ${d.segment} is damaged at byte ${d.offset} (${d.reason}), and no crash does that: ` +
    'nothing is skipped silently; restore the segment from a backup, or run "foundry doctor --repair"',
  JOURNAL_BROKEN: d =>
    `The journal could not be written (${d.reason}): the foundry stops and recovers by replay at its next start`,
  DROP_INVALID: d => `${d.drop} is refused: ${listProblems(d.problems)}`,
  RUN_AMBIGUOUS: d => `Several runs begin with "${d.run}": ${d.runs.join(', ')}`,
  RUN_UNKNOWN: d => `No run is named "${d.run}": "foundry runs list" shows them`,
  RUN_STATE_UNFIT: d => `Run ${d.run} is ${d.state}: it cannot be ${d.operation}`,
  JOB_UNKNOWN: d => `No attempt was ever made of a job ${d.job}: name its run and slot instead`,
  SLOT_UNKNOWN: d => `Run ${d.run} has no slot "${d.slot}": "foundry runs show ${d.run}" lists them`,
  SUBJECT_UNKNOWN: d => `Run ${d.run} has no persona "${d.subject}": it has ${d.known.join(', ') || 'none'}`,
  PERSONA_UNKNOWN: d =>
    `No persona is called "${d.persona}"${d.meant === undefined ? '' : `: did you mean "${d.meant}"?`} ` +
    `(known: ${d.known.join(', ') || 'none'}); name one of these, or the file of a persona kit`,
  SLOTS_UNFIT: d => `Nothing of ${d.part} in run ${d.run} can be ${d.operation}`,
  REFERENCE_MISSING: d =>
    `The reference picture ${d.sha256.slice(0, 12)}… is gone from .foundry/references, or damaged: render the drop that names it again`,
  SOURCE_CHANGED: d => `${d.what} changed since the run was accepted: drop it again to render the new version`,
  PLUGIN_INVALID: d => listProblems(d.problems),
  GATE_REFUSED: d => `Gate ${d.gate} refuses it: ${d.reason}`,
  PLUGIN_HOOK_FAILED: d => `Plugin ${d.plugin} failed in its hook ${d.hook}: ${d.reason}`,
  TEMPLATE_UNKNOWN: d => `No template is named "${d.template}": choose among ${d.known.join(', ')}`,
  WORKFLOW_UNKNOWN: d => `No workflow is named "${d.workflow}": choose among ${d.known.join(', ')}`,
  WORKFLOW_UNBOUND: d => `Workflow ${d.workflow} cannot be used yet: ${listProblems(d.problems)}`,
  WORKFLOW_NEEDS_SERVER: d =>
    `${d.file} has the format of the ComfyUI editor, and only a server knows its nodes (tried ${d.tried.join('; ') || 'none'}): ` +
    'start ComfyUI and name it with --server, or choose Export (API) in ComfyUI and add that file',
  TALENT_UNKNOWN: d => `No talent is named "${d.talent}": known are ${d.known.join(', ') || 'none'}`,
  WEIGHTS_INVALID: d => `${d.file} cannot be used: ${listProblems(d.problems)}`,
  SERVER_NONE: d =>
    `No server answered (tried ${d.tried.join('; ')}): start ComfyUI, pass ${d.option ?? '--server'} URL, or render drafts with --draft`,
  SERVER_UNKNOWN: d => `No server is named "${d.server}": there are ${d.known.join(', ') || 'none'}`,
  SERVER_UNFIT: d => `${d.server} cannot render this: ${listProblems(d.problems)}`,
  SERVER_INVALID: d => `Server ${d.server} cannot be used: ${listProblems(d.problems)}`,
  SERVER_EXISTS: d =>
    `A server is named "${d.server}" already: choose another name, or take that one away first with "foundry servers remove ${d.server}"`,
  SERVER_ADDRESS_TAKEN: d =>
    `"${d.server}" has this address already: more jobs at once are its "depth"; to rename it, take it away first`,
  OUTPUT_INVALID: d => `The server's output is not a usable picture: ${d.reason}`,
  PICTURES_FAILED: d => `The thread that works on pictures failed: ${d.reason}`,
  IMAGE_UNTRACED: d => `${d.image} carries no foundry record: only pictures made by a foundry can be reproduced`,
  IMAGE_ALTERED: d => `The record inside ${d.image} was changed after the picture was rendered: take the original file`,
  IMAGE_DAMAGED: d => `${d.image} cannot be used, since ${d.reason}: take the original file, or render it again`,
  IMAGE_PRIVATE: d =>
    `The words of ${d.image} are private and not part of it: reproduce it in the home that holds its run ${d.run}`,
  VERIFY_FAILED: d => `Run ${d.run} differs from its record in ${d.differences} places`,
  OWNER_STARTING: () => 'The owner of the home is starting or ending: ask again in a moment',
  OWNER_AWAY: d => `The owner of the home does not answer at ${d.owner} (${d.reason}): start "foundry daemon" there`,
  WORKER_EXISTS: d => `A worker is named "${d.worker}" already: choose another name with --name`,
  WORKER_UNKNOWN: d =>
    `No worker named "${d.worker}" has said hello, or it was silent for too long: it says hello again`,
  ENGINE_NONE: () =>
    'This home has no engine that workers could get jobs through: set "engine" in its foundry.yaml, e.g. { name: bullmq }',
  STORAGE_MISSING: d =>
    `${d.file} does not lie in the storage: let "storage" of foundry.yaml and --storage of the worker be the same folder`,
  STORAGE_AWAY: d =>
    `The storage "${d.storage}" does not do what it is asked (${d.reason}): see that it can be reached from here`,
  TIMED_OUT: d => `${d.what} was not finished within ${d.limitMs} ms`,
  INTERRUPTED: d => `${d.what} was interrupted: the same command again continues where it stopped`,
  OPERATION_INVALID: d => `${d.operation} was asked wrongly: ${listProblems(d.problems)}`,
  PRIVATE_TEXT_REJECTED: d =>
    `${d.where} holds personal data (${d.kinds.join(', ')}) and the privacy gate is set to reject`,
}

/** The error of the whole program. `code` and `details` are for programs, `message` is the sentence. */
export class FoundryError<Code extends string = string> extends Error {
  override readonly name = 'FoundryError'
  constructor(
    readonly code: Code,
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause })
  }
}

/** A core failure. Throws nothing; the caller throws what it returns. */
export function failure<Code extends ErrorCode>(
  code: Code,
  details: Details[Code],
  cause?: unknown,
): FoundryError<Code> {
  return new FoundryError(code, sentences[code](details), { ...details }, cause)
}

export const errorCodes = Object.keys(sentences) as ErrorCode[]

/**
 * Codes of a plugin, under its own name: `defineErrors('comfyui', {SILENT: d => …})` gives a function
 * whose errors have codes such as `COMFYUI_SILENT`.
 */
export function defineErrors<Sentences extends Record<string, (details: never) => string>>(
  owner: string,
  own: Sentences,
) {
  const prefix = owner.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')
  return <Name extends keyof Sentences & string>(
    name: Name,
    details: Parameters<Sentences[Name]>[0],
    cause?: unknown,
  ): FoundryError<string> => {
    const sentence = own[name] as (details: Parameters<Sentences[Name]>[0]) => string
    return new FoundryError(`${prefix}_${name}`, sentence(details), { ...(details as object) }, cause)
  }
}

/** One mistake in something a user gave us. All of a file's mistakes are reported together. */
export interface Problem {
  severity: 'error' | 'warning'
  /** THING_PROBLEM, stable. */
  code: string
  /** What is wrong, as one sentence without the place. */
  message: string
  /** The file as the user knows it (relative where possible). */
  file?: string
  /** 1-based. */
  line?: number
  /** 1-based, in characters. */
  column?: number
  /** Where inside the document, e.g. `jobs[2].seed`. */
  path?: string
  /** What was found, shortened. */
  found?: string
  /** What is allowed. */
  allowed?: string
}

/** `file:line:column path: message (found …; allowed …)`, the form that editors can jump to. */
export function describeProblem(p: Problem): string {
  const place = [p.file, p.line, p.column].filter(part => part !== undefined).join(':')
  const facts = [
    p.found === undefined ? '' : `found ${p.found}`,
    p.allowed === undefined ? '' : `allowed: ${p.allowed}`,
  ]
  const tail = facts.filter(Boolean).join('; ')
  return [place && `${place}:`, p.path && `${p.path}:`, p.message, tail && `(${tail})`].filter(Boolean).join(' ')
}

export function hasErrors(problems: readonly Problem[]): boolean {
  return problems.some(p => p.severity === 'error')
}

/** Each problem once: many slots, drops and templates have the same to say. */
export function distinctProblems(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map(each => [JSON.stringify(each), each])).values()]
}

/** What was refused with DROP_INVALID and the like, problem by problem; any other failure is one problem of its own. */
export function problemsOf({ code, message, details }: FoundryError): Problem[] {
  const listed = details['problems']
  return Array.isArray(listed) ? (listed as Problem[]) : [{ severity: 'error', code, message }]
}

/** The message of anything that was thrown. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

function listProblems(problems: readonly Problem[]): string {
  return problems.map(describeProblem).join('; ')
}
