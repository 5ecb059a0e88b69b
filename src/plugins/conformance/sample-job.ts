import { hashJson } from '../../files/hash.js'
import type { GraphJob } from '../contract.js'

/** A small whole job for a server that reads no graph; another seed is another picture. */
export function sampleJob(seed: number, { renderer }: { renderer: string }): GraphJob {
  const graph = { '1': { class_type: 'SampleImage', inputs: { seed, width: 64, height: 64, filename_prefix: '' } } }
  const [run, job, subject, template, view] = ['sample', `jsample${seed}`, 'mara', 'sample', 'front']
  const [slot, family, workflow] = [`${subject}/${template}-${view}-${seed}`, 'sd15', 'sample']
  const renderHash = hashJson({ renderer, graph })
  const sha256 = hashJson(graph)
  return {
    kind: 'graph',
    id: job,
    run,
    slot: { ordinal: 0, id: slot, series: 0, subject, template, view, variation: 0, index: 0, seed },
    renderHash,
    modelSet: 'sample',
    target: { renderer, family, workflow },
    graph,
    save: ['1'],
    loras: [],
    models: [],
    width: 64,
    height: 64,
    isPrivate: false,
    isSizeKnown: true,
    request: {
      ...{ run, slot, job, renderHash, subject, template, view, index: 0, variation: 0, renderer, family, workflow },
      ...{ graphSha256: sha256, logicalSha256: sha256, bindingSha256: sha256, dropSha256: sha256 },
      positive: [{ text: 'a tall keeper of a lighthouse', source: 'persona.description' }],
      negative: [{ text: 'blurry', source: 'style' }],
      ...{ seed, width: 64, height: 64, sampler: {}, sliders: {}, loras: [], models: [], plugins: [] },
    },
  }
}
