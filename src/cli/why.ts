import type { Config } from '../config/config.js'
import { openDoor } from './door.js'
import { exitCodes } from './exit-codes.js'
import type { Terminal } from './terminal.js'

/** `foundry why`: one sentence on a slot. Answers the exit code. */
export async function runWhy(
  id: string,
  slot: string | undefined,
  { config, terminal }: { config: Config; terminal: Terminal },
): Promise<number> {
  const door = await openDoor(config)
  try {
    const answer = await door.call('why', { id, ...(slot !== undefined && { slot }) })
    terminal.answer(answer)
    terminal.say(`${answer.slot} of ${answer.run} is ${answer.state}\n  ${answer.why}`)
    return exitCodes.done
  } finally {
    await door.close()
  }
}
