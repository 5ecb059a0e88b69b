import type { RunAccepted } from '../../../src/record/events.js'

/** How a run of one slot begins, or one with changes. */
export function acceptedRun(changes: Partial<RunAccepted> = {}): RunAccepted {
  return {
    kind: 'run-accepted',
    at: 1,
    run: 'r',
    nonce: 'n',
    key: 'order.yaml',
    version: 'v',
    dropKind: 'render-order',
    drop: '/home/order.yaml',
    dropSha256: 'd'.repeat(64),
    files: {},
    renderer: 'draft',
    slots: 1,
    skipped: [],
    fresh: false,
    by: 'test',
    ...changes,
  }
}
