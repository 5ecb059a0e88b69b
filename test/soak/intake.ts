import { floodGood, floodMalformed } from '../daemon/flood.js'
import { pauseWriting } from '../daemon/pause-writing.js'
import { beginSoak } from './begin.js'

/** Malformed drops, bursts that the watcher sees and does not see, a writer that pauses: `node dist/test/soak/intake.js [SEED]`. */
const soak = beginSoak('intake')
const delayP99MsMax = 100
const [bad, good] = [9900, 100]

const malformed = await floodMalformed(soak.place('malformed'), { bad, good, seed: soak.seed })
const isAnswered = malformed.unanswered.length === 0 && malformed.runs === good && malformed.delayP99Ms <= delayP99MsMax
soak.tell('malformed', isAnswered, malformed)

const burst = await floodGood(soak.place('burst'), 10_000)
soak.tell('burst', burst.runs === 10_000 && burst.delayP99Ms <= delayP99MsMax, burst)

// More than the system keeps room for while nobody reads.
const unseen = await floodGood(soak.place('unseen'), 30_000, { isFrozen: true })
soak.tell('unseen', unseen.runs === 30_000, unseen)

const readHalf = await pauseWriting(soak.place('paused'), { pauseMs: 5000, quietSeconds: 6 })
soak.tell('paused', readHalf.length === 0, { readHalf })
soak.end()
