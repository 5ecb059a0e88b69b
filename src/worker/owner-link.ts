import { request } from 'undici'
import { failure, FoundryError, reasonOf } from '../errors.js'
import { pause } from '../farm/signal.js'
import { joinSignals } from '../files/join-signals.js'

const exchangeMsMax = 15_000
const retryMsMin = 100
const retryMsMax = 2000
const reasonLengthMax = 300

/** The API of the owner of a home, as its workers ask it. */
export class OwnerLink {
  constructor(
    readonly url: string,
    private readonly token: string | undefined,
  ) {}

  /** One question. Throws OWNER_AWAY where nobody can answer now, and with its code what the owner refuses. */
  async ask<Answer>(what: string, body: object, signal?: AbortSignal): Promise<Answer> {
    const limit = joinSignals(AbortSignal.timeout(exchangeMsMax), ...(signal ? [signal] : []))
    try {
      const response = await request(`${this.url}/work/${what}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(this.token !== undefined && { authorization: `Bearer ${this.token}` }),
        },
        body: JSON.stringify(body),
        signal: limit.signal,
      })
      const answer = (await response.body.json()) as { error?: { code: string; message: string; details?: object } }
      if (response.statusCode < 400) return answer as Answer
      const { code = 'UNKNOWN', message = `it answered ${response.statusCode}`, details } = answer.error ?? {}
      // What the owner says of itself while it starts, ends or fails passes.
      if (response.statusCode >= 500 && code !== 'OUTPUT_INVALID') throw this.away(message)
      if (response.statusCode === 401 || response.statusCode === 403) throw this.refused(message)
      throw new FoundryError(code, message, { ...details })
    } catch (error) {
      if (error instanceof FoundryError) throw error
      throw this.away(reasonOf(error), error)
    } finally {
      limit.end()
    }
  }

  /** Asks until the owner answers, for as long as the limit. Throws OWNER_AWAY after it. */
  async tell<Answer>(
    what: string,
    body: object,
    { limitMs, signal }: { limitMs: number; signal: AbortSignal },
  ): Promise<Answer> {
    const until = performance.now() + limitMs
    for (let delayMs = retryMsMin; ; delayMs = Math.min(retryMsMax, delayMs * 2)) {
      try {
        return await this.ask<Answer>(what, body, signal)
      } catch (error) {
        if (!isAway(error) || signal.aborted || performance.now() + delayMs > until) throw error
        await pause(delayMs, signal)
      }
    }
  }

  private refused(reason: string) {
    const problem = `The daemon at ${this.url} does not let this worker in (${reason})`
    return failure('USAGE_INVALID', { problem, next: "give its token with --token '${NAME}'" })
  }

  private away(reason: string, cause?: unknown) {
    return failure('OWNER_AWAY', { owner: this.url, reason: reason.slice(0, reasonLengthMax) }, cause)
  }
}

/** Whether the owner may answer later. */
export function isAway(error: unknown): boolean {
  return error instanceof FoundryError && error.code === 'OWNER_AWAY'
}
