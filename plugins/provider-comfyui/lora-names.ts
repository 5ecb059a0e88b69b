import type { Lora, Problem } from '../../src/plugins/contract.js'
import { normalName, type Shelf } from './shelf.js'

export type LoraName = { name: string } | { problem: Omit<Problem, 'severity'> }

const hashLength = 12

/**
 * The server's own name of a talent's LoRA: its alias; else the file called after talent and weights hash; else the file called
 * after the talent, which may hold weights of an earlier training: those of one rank all have the same size. A file whose told
 * size differs holds other weights and is never chosen.
 * `aliases`: names by talent id, from the entry of the server.
 */
export function chooseLoraName(lora: Lora, shelf: Shelf, aliases: Readonly<Record<string, string>>): LoraName {
  const alias = aliases[lora.talent]
  if (alias !== undefined) return chooseAlias(lora, alias, shelf)
  const hashed = `${lora.talent}-${lora.weightsSha256.slice(0, hashLength)}`
  const called = [hashed, lora.talent].flatMap(stem => (shelf.byStem.get(stem) ?? []).toSorted(byProof(shelf.sizes)))
  const fit = called.find(name => fits(lora, shelf.sizes[name]))
  if (fit !== undefined) return { name: fit }
  const [other] = called
  return {
    problem: {
      code: 'COMFYUI_LORA_MISSING',
      message:
        other === undefined
          ? `The server has no LoRA of talent "${lora.talent}"`
          : `The LoRA "${other}" on the server is not the one of talent "${lora.talent}"`,
      found: other === undefined ? 'none' : `${shelf.sizes[other]} bytes, not ${lora.sizeBytes}`,
      allowed: howToCopy(lora, hashed),
    },
  }
}

function chooseAlias(lora: Lora, alias: string, shelf: Shelf): LoraName {
  const name = shelf.byName.get(normalName(alias))
  if (name !== undefined && fits(lora, shelf.sizes[name])) return { name }
  return {
    problem: {
      code: 'COMFYUI_LORA_ALIAS_INVALID',
      message: `The alias of talent "${lora.talent}" does not lead to its LoRA`,
      found: name === undefined ? `no "${alias}"` : `${shelf.sizes[name]} bytes, not ${lora.sizeBytes}`,
      allowed: 'the name of that file under models/loras, in "loras" of the server entry',
    },
  }
}

function fits(lora: Lora, sizeBytes: number | undefined): boolean {
  return sizeBytes === undefined || sizeBytes === lora.sizeBytes
}

/** Names whose size is told come first: their size is known to agree. */
function byProof(sizes: Readonly<Record<string, number>>): (one: string, other: string) => number {
  return (one, other) => Number(sizes[one] === undefined) - Number(sizes[other] === undefined)
}

function howToCopy(lora: Lora, hashed: string): string {
  const sha256 = lora.weightsSha256.slice(0, hashLength)
  return (
    `copy the weights of the kit (${lora.sizeBytes} bytes, SHA-256 ${sha256}…) to models/loras of the server ` +
    `as ${hashed}.safetensors or ${lora.talent}.safetensors, or let "foundry talents deploy" do it`
  )
}
