import type { DispatchFacts, DispatchVerdict } from '../contract.js'

/**
 * Words of licences that keep work from being sold: the NC licences of Creative Commons (https://creativecommons.org/licenses), those of
 * models for research (`flux-1-dev-non-commercial-license`, `stabilityai-nc-research-community`), and what authors write by hand.
 */
const forbidsSale =
  /(?<![a-z])(?:nc|non[ _-]?commercial|no[ _-]commercial|not[ _-]for[ _-](?:sale|commercial)|research[ _-](?:only|use)|personal[ _-]use)(?![a-z])/i

/** Refuses talents whose licence forbids the use. A talent that names no licence passes. Pure. */
export function licenceGate(
  licences: ReadonlyMap<string, string>,
  use: 'personal' | 'commercial',
): (facts: DispatchFacts) => DispatchVerdict {
  return ({ talents }) => {
    const found = use === 'commercial' ? talents.find(({ id }) => forbidsSale.test(licences.get(id) ?? '')) : undefined
    if (!found) return { verdict: 'pass' }
    const reason = `the licence of ${found.id} ("${licences.get(found.id)}") forbids commercial use, which is what the pictures are for`
    return { verdict: 'refuse', reason }
  }
}
