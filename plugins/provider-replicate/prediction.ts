/** A prediction as the service tells it, as far as it is read here. Everything else is passed over. */
export interface Prediction {
  id: string
  model: string
  /** Compared exactly: words of other services are spelled differently. */
  status: string
  input: Readonly<Record<string, unknown>>
  /** Addresses or data: URIs, in order. */
  outputs: readonly string[]
  error: string
  /** The service has deleted what the prediction gave. */
  isRemoved: boolean
  /** Milliseconds since the epoch; NaN where not told. */
  createdAt: number
  deadline: number
  completedAt: number
  /** Seconds of rendering; undefined where not told. */
  predictSeconds: number | undefined
}

const idPattern = /^[A-Za-z0-9_-]{1,128}$/

/** Whether a text may be the id of a prediction, and so a part of a path. */
export function isPredictionId(text: unknown): text is string {
  return typeof text === 'string' && idPattern.test(text)
}

/** Undefined for what is no prediction. */
export function parsePrediction(value: unknown): Prediction | undefined {
  const { id, model, status, input, output, error, metrics, ...rest } = recordOf(value)
  if (!isPredictionId(id) || typeof status !== 'string') return undefined
  const { predict_time: predictSeconds } = recordOf(metrics)
  return {
    id,
    model: typeof model === 'string' ? model : '',
    status,
    input: recordOf(input),
    outputs: [output].flat().filter((each): each is string => typeof each === 'string' && each !== ''),
    error: typeof error === 'string' ? error : '',
    isRemoved: rest['data_removed'] === true,
    createdAt: timeOf(rest['created_at']),
    deadline: timeOf(rest['deadline']),
    completedAt: timeOf(rest['completed_at']),
    predictSeconds: typeof predictSeconds === 'number' ? predictSeconds : undefined,
  }
}

/** Undefined for bytes that are no JSON. */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown
  } catch {
    return undefined
  }
}

/** The object itself, or an empty one in place of anything else. */
export function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function timeOf(value: unknown): number {
  return typeof value === 'string' ? Date.parse(value) : NaN
}
