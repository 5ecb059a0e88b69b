import { randomUUID } from 'node:crypto'
import {
  type ApiGraph,
  type Attempt,
  hashJson,
  type Job,
  type Receipt,
  RenderFailure,
  withSavePrefix,
} from '../../src/plugins/contract.js'
import { cancelAttempt } from './cancel-attempt.js'
import type { Answer, Http } from './http.js'
import { causeOfProblems, failureOfRejection, problemsOfNodes } from './job-failures.js'
import { recordOf } from './json.js'
import type { TrackedAttempt } from './tracked-attempt.js'
import type { Tracker } from './tracker.js'

const promptRoute = '/prompt'

export interface Submitter {
  http: Http
  tracker: Tracker
  /** The server in messages. */
  label: string
}

export interface Submitted {
  job: Job
  attempt: Attempt
  /** With the names of the server. */
  graph: ApiGraph
}

/**
 * Hands a graph to the server. The attempt is registered before the POST, because frames can come before its answer,
 * and with a live socket where one can be had. Rejects with RenderFailure; after `unknown-outcome` the attempt stays
 * registered: the server may have taken it.
 */
export async function submitJob(submitter: Submitter, submitted: Submitted, signal: AbortSignal): Promise<Receipt> {
  const { http, tracker } = submitter
  const { job, attempt, graph } = submitted
  const clientId = await tracker.socket.open()
  const tracked = tracker.register(attempt, { saveNodes: job.save, ...(clientId !== undefined && { clientId }) })
  const body = Buffer.from(
    JSON.stringify({
      prompt: graph,
      client_id: clientId ?? randomUUID(),
      prompt_id: attempt.promptId,
      extra_data: { extra_pnginfo: { foundry: job.request } },
    }),
  )
  try {
    await requireAccepted(submitter, submitted, { answer: await http.post(promptRoute, body, { signal }), signal })
  } catch (thrown) {
    settleRegistration(tracker, tracked, thrown)
    throw thrown
  }
  const submittedSha256 = hashJson(withSavePrefix(graph, job.save, ''))
  return { promptId: attempt.promptId, submittedSha256, sizeBytes: body.length }
}

function settleRegistration(tracker: Tracker, tracked: TrackedAttempt, thrown: unknown): void {
  const isUnknown = thrown instanceof RenderFailure && thrown.reason === 'unknown-outcome'
  if (isUnknown) tracked.unansweredAt = performance.now()
  else tracker.drop(tracked.attempt.promptId)
}

async function requireAccepted(
  { http, label }: Submitter,
  { attempt, graph }: Submitted,
  { answer, signal }: { answer: Answer; signal: AbortSignal },
): Promise<void> {
  if (answer.status !== 200) throw rejectionOf(http, answer, graph)
  const accepted = acceptanceOf(http, answer)
  const promptId = accepted['prompt_id']
  const problems = problemsOfNodes(accepted['node_errors'])
  if (problems.length > 0) {
    // The server took the valid part of the graph: a part of a picture is not asked for.
    const cancelled = await cancelAttempt(http, attempt, signal)
    const message = `${label} takes only a part of the graph`
    throw new RenderFailure(causeOfProblems(problems), message, { problems, cancelled })
  }
  if (promptId === attempt.promptId) return
  if (typeof promptId !== 'string')
    throw new RenderFailure('unknown-outcome', `${label} answered ${promptRoute} without a prompt id`)
  await cancelAttempt(http, { ...attempt, promptId }, signal)
  throw new RenderFailure('refused', `${label} gives jobs ids of its own, so that none can be found again`)
}

function acceptanceOf(http: Http, answer: Answer): Record<string, unknown> {
  try {
    return recordOf(http.json(answer, promptRoute))
  } catch (thrown) {
    // A web page comes from a proxy that wants a login: nothing reached the server.
    if (answer.contentType.startsWith('text/html')) throw thrown
    throw new RenderFailure('unknown-outcome', http.refusal(answer, promptRoute).message, {}, thrown)
  }
}

function rejectionOf(http: Http, answer: Answer, graph: ApiGraph): RenderFailure {
  if (answer.status === 400) return failureOfRejection(http.json(answer, promptRoute), graph)
  const refusal = http.refusal(answer, promptRoute)
  // A gateway that gives up does not know whether the server behind it has taken the job.
  return answer.status > 500 ? new RenderFailure('unknown-outcome', refusal.message, refusal.details) : refusal
}
