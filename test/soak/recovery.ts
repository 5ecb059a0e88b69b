import { renderOn } from '../recovery/farm-faults.js'
import { renderWith, serverFaults } from '../recovery/server-faults.js'
import { beginSoak } from './begin.js'

/** Every fault of a server at length, and a server that fails everything among good ones: `node dist/test/soak/recovery.js [SEED]`. */
const soak = beginSoak('recovery')

for (const [title, fault] of Object.entries(serverFaults)) {
  const slots = fault.soakSlots
  const { code, facts } = await renderWith(soak.place(title), { ...fault, slots })
  const { done, renders, problems } = facts
  soak.tell(title, code === 0 && problems.length === 0 && done === slots, { code, done, renders, problems })
}

const holed = 'a server that fails everything'
const chargedShareMax = 0.01
const fast = { options: { faults: { jobMs: 60 } } }
const hole = { options: { faults: { jobMs: 50, failRate: 1 } } }
const { code, facts, ended } = await renderOn(soak.place(holed), {
  slots: 1000,
  members: [fast, hole, fast, fast],
  extra: 0,
})
const failed = ended.filter(({ outcome }) => outcome !== 'withdrawn').length
const isGood = code === 0 && facts.problems.length === 0 && failed <= 1000 * chargedShareMax
soak.tell(holed, isGood, { code, failed, done: facts.done, problems: facts.problems })
soak.end()
