import { defineErrors } from '../../src/plugins/contract.js'

/** What can be wrong with Redis or what was said of it. Addresses are told without user and password. */
export const bullmqFailure = defineErrors('bullmq', {
  URL_INVALID: (_: object) =>
    'The "url" of the engine is not the address of a Redis: write it as redis://host:port/db, or rediss:// with TLS',
  CA_UNREADABLE: (d: { file: string; reason: string }) =>
    `The certificate authority of Redis cannot be read from ${d.file} (${d.reason}): mend "ca" of the engine`,
  UNREACHABLE: (d: { address: string; reason: string }) =>
    `Redis at ${d.address} does not let us in (${d.reason}): start it, or mend the options of the engine`,
  TOO_OLD: (d: { address: string; version: string; oldest: string }) =>
    `Redis at ${d.address} has version ${d.version}: update it to ${d.oldest} or later, best to 7 or to Valkey 8`,
  EVICTS: (d: { address: string; policy: string }) =>
    `Redis at ${d.address} may throw jobs away when its memory is full (maxmemory-policy ${d.policy}): ` +
    'set "maxmemory-policy noeviction"',
  AWAY: (d: { address: string; limitMs: number }) =>
    `Redis at ${d.address} is away (waited for ${d.limitMs} ms at most): what was asked may be done in part, ask again`,
  REFUSED: (d: { address: string; reason: string }) => `Redis at ${d.address} refused a command: ${d.reason}`,
  CLOSED: (d: { address: string }) => `The connection to Redis at ${d.address} was closed by us`,
})
