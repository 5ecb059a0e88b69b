import type { Config } from '../config/config.js'
import { throughDoor } from './door.js'
import type { Terminal } from './terminal.js'

/** `foundry why`: one sentence on a slot. Answers the exit code. */
export function runWhy(
  id: string,
  slot: string | undefined,
  { config, terminal }: { config: Config; terminal: Terminal },
): Promise<number> {
  return throughDoor(config, async door => {
    const answer = await door.call('why', { id, slot })
    terminal.answer(answer)
    terminal.say(`${answer.slot} of ${answer.run} is ${answer.state}\n  ${answer.why}`)
  })
}
