import t from 'tap'
import type { RenderOrder } from '../../../src/schema/render-order.js'
import type { Sources } from '../../../src/library/sources.js'
import { askedCourse, courseOf } from '../../../src/operations/run-course.js'
import { applyEvent, emptyState } from '../../../src/record/state.js'
import { acceptedRun } from '../record/sample-run.js'

const sourcesOf = (order: Partial<RenderOrder>): Sources => ({
  path: '/o.yaml',
  drop: { kind: 'render-order', order: { personas: ['a'], ...order }, kits: [], folder: '' },
  problems: [],
  sha256: '',
  version: '',
  files: [],
})
const path = '/o.yaml'

t.test('only what is not usual is asked for, and who asks counts more than the order', async t => {
  t.strictSame(askedCourse({ path, labels: [] }, sourcesOf({})), {})
  const sources = sourcesOf({ priority: 'rush', weight: 3, labels: ['big'] })
  t.strictSame(askedCourse({ path, weight: 2, preview: 4, inFlightMax: 1 }, sources), {
    priority: 'rush',
    weight: 2,
    labels: ['big'],
    preview: 4,
    inFlightMax: 1,
  })
})

t.test('a new run goes as its order says, a known one as it has been told since', async t => {
  const sources = sourcesOf({ priority: 'rush', labels: ['big'] })
  t.strictSame(courseOf(undefined, { input: { path }, sources: sourcesOf({}) }), {
    priority: 'default',
    weight: 1,
    labels: [],
  })
  t.strictSame(courseOf(undefined, { input: { path, inFlightMax: 2 }, sources }), {
    priority: 'rush',
    weight: 1,
    labels: ['big'],
    inFlightMax: 2,
  })
  const state = emptyState()
  applyEvent(state, acceptedRun({ run: 'r', slots: 1, inFlightMax: 5 }))
  applyEvent(state, {
    kind: 'run-changed',
    at: 1,
    run: 'r',
    priority: 'batch',
    weight: 7,
    labels: ['small'],
    by: 'ann',
  })
  const told = { priority: 'batch', weight: 7, labels: ['small'], inFlightMax: 5 }
  const known = state.runs.get('r')
  t.strictSame(courseOf(known, { input: { path, inFlightMax: 2 }, sources }), told)
  t.strictSame(courseOf(known, { input: { path, labels: [] }, sources }), { ...told, labels: [] })
})
