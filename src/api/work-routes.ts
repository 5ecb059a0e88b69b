import type { FastifyInstance } from 'fastify'
import { failure } from '../errors.js'
import type { RemoteWork } from '../farm/remote-work.js'
import { validateValue } from '../files/validate.js'
import type { FromSchema } from '../schema/from-schema.js'
import {
  aliveSchema,
  doneSchema,
  failedSchema,
  helloSchema,
  leaseSchema,
  leaveSchema,
  submittedSchema,
  unfitSchema,
} from '../schema/work.js'

/** Lists of models are part of a hello. */
const bodySizeBytesMax = 16 * 1024 * 1024

/** What workers on other machines say to the owner. No operations: nobody else has any business here. */
export function serveWork(app: FastifyInstance, work: RemoteWork | undefined): void {
  const add = <const Schema extends object>(
    name: string,
    schema: Schema,
    act: (work: RemoteWork, said: FromSchema<Schema>) => unknown,
  ) =>
    app.post(`/work/${name}`, { schema: { hide: true }, bodyLimit: bodySizeBytesMax }, async request => {
      if (!work) throw failure('ENGINE_NONE', {})
      const { value, problems } = validateValue(schema, request.body ?? {})
      if (value === undefined) throw failure('OPERATION_INVALID', { operation: `work/${name}`, problems })
      return (await act(work, value)) ?? {}
    })
  add('hello', helloSchema, (work, said) => work.hello(said))
  add('alive', aliveSchema, (work, said) => work.alive(said))
  add('leave', leaveSchema, (work, said) => work.leave(said))
  add('lease', leaseSchema, (work, said) => work.lease(said))
  add('unfit', unfitSchema, (work, said) => work.unfit(said))
  add('submitted', submittedSchema, (work, said) => work.report(attempts => attempts.submitted(said)))
  add('failed', failedSchema, (work, said) => work.report(attempts => attempts.failed(said)))
  add('done', doneSchema, (work, said) => work.report(attempts => attempts.done(said)))
  add('keep', doneSchema, (work, said) => work.report(attempts => attempts.keep(said)))
}
