import type { Problem } from '../errors.js'
import type { LeftOut, Mix, PlannedWorkflow } from '../schema/run.js'

/** Pure: the mix without what its workflow has no place for. All of that is named in `leftOut`; LoRAs are told as well. */
export function fitMix(mix: Mix, { name, binding }: PlannedWorkflow): { mix: Mix; problems: Problem[] } {
  const loras = binding.lora ? [] : mix.loras
  const isMute = (binding.negative ?? []).length === 0 && mix.negative.length > 0
  const leftOut: LeftOut[] = [
    ...(mix.leftOut ?? []),
    ...loras.map(({ talent }) => ({ talent, reason: 'the workflow takes no LoRAs' })),
    ...(isMute ? [{ what: 'negative' as const, reason: 'the workflow takes none' }] : []),
  ]
  if (loras.length === 0 && !isMute) return { mix, problems: [] }
  const fitted = { ...mix, leftOut, ...(loras.length > 0 && { loras: [] }), ...(isMute && { negative: [] }) }
  return { mix: fitted, problems: loras.length === 0 ? [] : [withoutLoras(name, loras)] }
}

function withoutLoras(workflow: string, loras: Mix['loras']): Problem {
  const message = `Workflow ${workflow} takes no LoRAs: rendered without these talents`
  const found = loras.map(({ talent }) => talent).join(', ')
  return { severity: 'warning', code: 'WORKFLOW_LORA_NONE', message, found, allowed: '"lora" in its binding' }
}
