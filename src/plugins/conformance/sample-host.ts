import { pino } from 'pino'
import type { ProviderHost } from '../contract.js'

/** What a plugin gets while it is tried: a log that nobody reads, and a signal that never comes. */
export const sampleHost: ProviderHost = { log: pino({ level: 'silent' }), signal: new AbortController().signal }
