import type { FastifyInstance } from 'fastify'
import type { Config } from '../config/config.js'
import { failure, reasonOf } from '../errors.js'

/** Where the configuration says. Throws USAGE_INVALID. */
export async function listen(api: FastifyInstance, { api: { host, port } }: Config): Promise<string> {
  try {
    return await api.listen({ host, port })
  } catch (error) {
    throw failure(
      'USAGE_INVALID',
      {
        problem: `The API cannot listen on ${host}:${port} (${reasonOf(error)})`,
        next: 'choose another --port, or 0 for any',
      },
      error,
    )
  }
}
