import type { Spend } from '../schema/run-manifest.js'
import { counted } from './terminal.js'

/** `0.22 USD for 4 pictures`, with what nobody knows the price of. */
export function describeSpend({ currency, amount, pictures, unknown }: Spend): string {
  const known = pictures - unknown
  const paid = amount === undefined ? [] : [`${amount.toFixed(2)} ${currency} for ${counted(known, 'picture')}`]
  const rest = unknown === 0 ? [] : [`nobody knows the price of ${counted(unknown, 'picture')}`]
  return [...paid, ...rest].join(', ')
}
