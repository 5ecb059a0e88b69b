import { bindingSchema } from './binding.js'
import { compositeTraceSchema } from './composite-trace.js'
import { configFileSchema } from './config.js'
import { personaKitSchema } from './persona-kit.js'
import { personaManifestSchema } from './persona-manifest.js'
import { pluginSchema } from './plugin.js'
import { renderOrderSchema } from './render-order.js'
import { runFileSchema } from './run.js'
import { runManifestSchema } from './run-manifest.js'
import { styleSchema } from './style.js'
import { promptsSchema, talentSchema } from './talent.js'
import { templateSchema } from './template.js'
import { traceSchema } from './trace.js'

/** A schema of a file, as an editor takes it. */
export interface PublishedSchema {
  $schema: string
  $id: string
  title: string
  [keyword: string]: unknown
}

/** The schemas of all files that people write or read, by `$id`. A new version of a format has a new `$id`. */
export const publishedSchemas: Readonly<Record<string, PublishedSchema>> = Object.fromEntries(
  [
    personaManifestSchema,
    personaKitSchema,
    renderOrderSchema,
    templateSchema,
    styleSchema,
    pluginSchema,
    bindingSchema,
    talentSchema,
    promptsSchema,
    configFileSchema,
    runFileSchema,
    runManifestSchema,
    traceSchema,
    compositeTraceSchema,
  ].map(schema => [schema.$id, { $schema: 'http://json-schema.org/draft-07/schema#', ...schema }]),
)

/** What a `$schema` field names: an id such as `persona-kit/1`, or a path or URL that ends in one, with or without `.json`. */
export function findPublished(hint: string): PublishedSchema | undefined {
  const [, id] = /(?:^|\/)([a-z-]+\/\d+)(?:\.json)?$/.exec(hint.slice(-HINT_LENGTH_MAX)) ?? []
  return id === undefined ? undefined : publishedSchemas[id]
}

const HINT_LENGTH_MAX = 200
