import { RenderFailure } from '../../src/plugins/contract.js'
import type { Answer, Client } from './client.js'
import type { Model } from './models.js'
import { parseJson, type Prediction, recordOf } from './prediction.js'
import { retiredMessage } from './sent-input.js'

/** The service has no status of its own for what it refuses to show: its wording is matched loosely. */
const moderation = /flagged as sensitive|\bE005\b|nsfw|content policy|safety (filter|system)/i
const retryHint = '"foundry runs retry" renders it anew, at its price'

/** Why a create was not taken. After `unknown-outcome` nobody knows. */
export function failureOfCreate(
  client: Client,
  answer: Answer,
  { model, input }: { model: Model; input: Readonly<Record<string, unknown>> },
): RenderFailure {
  const { label } = client.address
  const said = saidOf(client, answer, input)
  const { status } = answer
  const fail = (reason: ConstructorParameters<typeof RenderFailure>[0], message: string) =>
    new RenderFailure(reason, message, { status })
  if (status === 401) return fail('locked-out', tokenRefused(label))
  if (status === 402)
    return fail('locked-out', `${label} has no credit left (402)${said}: add some at replicate.com/account/billing`)
  if (status === 429) return fail('locked-out', `${label} is asked too often (429)${said}`)
  if (status === 404) return fail('missing-model', retiredMessage(model))
  if (moderation.test(said)) return fail('moderated', `${label} refuses what it shows${said}`)
  if (status === 400 || status === 413 || status === 422)
    return fail('invalid-graph', `${label} refuses the input${said}`)
  if (status >= 500) return fail('unknown-outcome', `${label} got into trouble (${status})${said}`)
  return fail('refused', `${label} answered with ${status}${said}`)
}

/** Why a picture was not taken. Nothing is rendered by it. */
export function failureOfUpload(client: Client, answer: Answer): RenderFailure {
  const { label } = client.address
  const { status } = answer
  const said = saidOf(client, answer, {})
  if (status === 401) return new RenderFailure('locked-out', tokenRefused(label), { status })
  if (status === 402) return new RenderFailure('locked-out', `${label} has no credit left (402)${said}`, { status })
  const cause = status >= 500 || status === 429 ? 'unreachable' : 'invalid-graph'
  return new RenderFailure(cause, `${label} does not take a reference picture (${status})${said}`, { status })
}

/** Why a question was not answered. Nothing was changed by it. */
export function failureOfRead(client: Client, answer: Answer): RenderFailure {
  const { label } = client.address
  const { status } = answer
  const why = status === 401 ? tokenRefused(label) : `${label} answered with ${status}${saidOf(client, answer, {})}`
  return new RenderFailure('unreachable', why, { status })
}

/** Why a prediction that has ended gave no picture; undefined for one that did, or has not ended. */
export function failureOfPrediction(client: Client, prediction: Prediction): RenderFailure | undefined {
  const { label } = client.address
  const { id, status, input, error, outputs, isRemoved, deadline, completedAt } = prediction
  // What the service has forgotten of the input cannot be taken out of its words.
  const isTellable = error !== '' && Object.keys(input).length > 0
  const said = isTellable ? `: ${client.redact(error, input)}` : ''
  const details = { remote: id }
  switch (status) {
    case 'succeeded':
      if (outputs.length > 0) return undefined
      if (!isRemoved) return new RenderFailure('no-output', `${label} reported success without a picture`, details)
      return new RenderFailure('in-doubt', `${label} made the picture and has deleted it since: ${retryHint}`, details)
    case 'failed':
      if (moderation.test(error))
        return new RenderFailure('moderated', `${label} refuses what it shows${said}`, details)
      return new RenderFailure('node-error', `${label} failed${said}`, details)
    case 'aborted':
      return new RenderFailure('silent', `${label} did not begin before its deadline`, details)
    case 'canceled':
      if ((Number.isNaN(completedAt) ? Date.now() : completedAt) >= deadline)
        return new RenderFailure('silent', `${label} did not end before its deadline`, details)
      return new RenderFailure('interrupted', `Cancelled on ${label}`, details)
  }
  return undefined
}

function tokenRefused(label: string): string {
  return `${label} does not accept the token (401): set the variable that "token" of its entry names to a valid one`
}

/** `detail` or `error` of a problem document, as a tail of a sentence. */
function saidOf(client: Client, { bytes }: Answer, sent: Readonly<Record<string, unknown>>): string {
  const { detail, error, title } = recordOf(parseJson(bytes))
  const said = [detail, error, title].find(each => each !== undefined && each !== null)
  if (said === undefined) return ''
  return `: ${client.redact(typeof said === 'string' ? said : JSON.stringify(said), sent)}`
}
