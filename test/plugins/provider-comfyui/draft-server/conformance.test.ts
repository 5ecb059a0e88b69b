import t from 'tap'
import type { DraftVersion, Faults } from '../../../../plugins/provider-comfyui/draft-server/options.js'
import { compareWithRecording } from './compare-recording.js'
import { readRecording, recordingsFolder } from './recording.js'
import { replay } from './replay.js'

const scenarios = [
  ...['01', '02', '03', '04', '05', '06', '07', '08', '09', '10', '11', '12', '13', '14', '16', '17', '18', '19', '20'],
  ...['21', '22', '23', '24', '25', '26', '27', '28', '29', '30', '31', '32', '33', '34', '36', '37', '38', '39', '40', '44', '47'],
]
/** Where an interrupt or a reconnection meets a running job: one tick more or less is chance. */
const looseTicks = new Set(['21', '22', '26', '27', '40'])
/** In 03 a request right after a submission meets the job running; 19 was recorded with previews switched on. */
const faults: Record<string, Partial<Faults>> = { '03': { jobMs: 100 }, '19': { previews: true } }
const versions: DraftVersion[] = ['0.12.1', '0.3.64']

const folder = recordingsFolder()
const skip = folder === undefined && 'no recordings here'
for (const version of versions) {
  for (const number of scenarios) {
    t.test(`the draft server answers like ComfyUI ${version}: scenario ${number}`, { skip }, async t => {
      if (folder === undefined) return
      const recording = readRecording(folder, version, number)
      const seen = await replay(recording, version, faults[number] ?? {})
      t.strictSame(
        compareWithRecording(recording, seen, { looseTicks: looseTicks.has(number) }),
        [],
        recording.scenario,
      )
    })
  }
}
