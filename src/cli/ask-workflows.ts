import { hasErrors } from '../errors.js'
import type { AddedWorkflow } from '../operations/add-workflow.js'
import type { Config } from '../config/config.js'
import type { Parameter } from '../schema/parameter.js'
import type { Family } from '../schema/template.js'
import type { Finding } from '../workflow/describe-binding.js'
import { describeParameter } from '../workflow/parameter-values.js'
import { checkOwner } from './check-owner.js'
import type { CommandContext } from './command-context.js'
import { openDoor, throughDoor } from './door.js'
import { exitCodes } from './exit-codes.js'
import { table, type Terminal } from './terminal.js'

export interface AddWorkflowFlags {
  name?: string
  server?: string
  draft?: boolean
  family?: Family
  replace?: boolean
  probe: boolean
  dryRun?: boolean
}

type Context = Pick<CommandContext<AddWorkflowFlags>, 'terminal' | 'flags' | 'config'>

/** `foundry workflows add`. Answers the exit code. */
export async function addWorkflow({ terminal, flags, config }: Context, path: string): Promise<number> {
  const { server, draft, name, family, replace, probe, dryRun } = flags
  const isAddress = server?.includes('://') ?? false
  const chosen = await config({ ...(isAddress && server !== undefined && { servers: [server] }), draft })
  const door = await openDoor(chosen)
  try {
    await checkOwner(door, chosen, draft ? 'draft' : isAddress ? 'servers' : undefined, terminal)
    const asked = { path, name, family, replace, probe, dryRun, ...(!isAddress && { server }) }
    const answer = await door.call('workflows.add', asked)
    terminal.answer(answer)
    tell(answer, terminal)
    return codeOf(answer)
  } finally {
    await door.close()
  }
}

/** `foundry workflows list`. Answers the exit code. */
export function listWorkflows(config: Config, terminal: Terminal): Promise<number> {
  return throughDoor(config, async door => {
    const answer = await door.call('workflows.list', {})
    terminal.answer(answer)
    const rows = answer.workflows.map(({ workflow, family = 'not bound yet', title = '' }) => [workflow, family, title])
    const [head = '', ...lines] = table([['WORKFLOW', 'FAMILY', 'IS'], ...rows]).split('\n')
    const parameters = answer.workflows.map(each => [
      ...Object.entries(each.parameters).map(describe),
      ...(each.references === undefined ? [] : [`  --reference FILE  ${describeMax(each.references)}`]),
    ])
    terminal.say([head, ...lines.flatMap((line, at) => [line, ...(parameters[at] ?? [])])].join('\n'))
  })
}

function describe([name, parameter]: [string, Parameter]): string {
  const { title, default: standard } = parameter
  const facts = [describeParameter(parameter), ...(standard === undefined ? [] : [`else ${standard}`])]
  return `  --param ${name}=  ${facts.join('; ')}${title === undefined ? '' : `  (${title})`}`
}

function describeMax(references: number): string {
  return references === 1 ? 'one picture' : `up to ${references} pictures`
}

function codeOf({ problems, probe }: AddedWorkflow): number {
  if (hasErrors(problems)) return exitCodes.badInput
  return probe?.state === 'failed' ? exitCodes.someFailed : exitCodes.done
}

function tell(answer: AddedWorkflow, terminal: Terminal): void {
  const { workflow, isAdded, found, problems, answersIn, files } = answer
  if (found.length > 0) terminal.say(table([['WHAT', 'NODE', 'INPUT', 'IN THE FILE'], ...found.map(toRow)]))
  const missing = ['negative', 'width', 'lora.model'].filter(field => found.every(each => each.field !== field))
  if (missing.length > 0) terminal.say(`not found  ${missing.map(field => namesOfFields[field] ?? field).join(', ')}`)
  terminal.problems(problems)
  if (hasErrors(problems)) terminal.note(`Nothing is written: answer in ${answersIn} beside the file, and add it again`)
  else if (!isAdded) terminal.say(`${workflow} would be added: ${files.graph}`)
  else
    terminal.say(
      `${terminal.paint('green', '✔')} ${workflow} is added\n  graph    ${files.graph}\n  binding  ${files.binding}`,
    )
  tellProbe(answer, terminal)
}

const namesOfFields: Readonly<Record<string, string>> = {
  negative: 'negative prompt',
  width: 'size',
  'lora.model': 'place for LoRAs',
}

function toRow({ field, node, class: name, title, input, slot, value }: Finding): string[] {
  const where = `${node} ${name}${title === undefined || title === name ? '' : ` "${title}"`}`
  return [field, where, input ?? (slot === undefined ? '' : `output ${slot}`), value ?? '']
}

function tellProbe({ probe, workflow }: AddedWorkflow, terminal: Terminal): void {
  switch (probe?.state) {
    case 'rendered':
      terminal.say(`  picture  ${probe.picture} (by ${probe.server})`)
      break
    case 'failed':
      terminal.problems(probe.problems)
      terminal.note(`${workflow} is added, but its first picture was not rendered`)
      break
    case 'skipped':
      terminal.note(`No picture was rendered with it: ${probe.reason}`)
      break
    default:
  }
}
