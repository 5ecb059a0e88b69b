import type { Handler, Routes } from './handler.js'
import { draftRoutes } from './routes-draft.js'
import { fileRoutes } from './routes-files.js'
import { infoRoutes } from './routes-info.js'
import { jobListRoutes } from './routes-job-list.js'
import { queueRoutes } from './routes-queue.js'
import type { ServerState } from './server-state.js'

/** Finds what answers a request, with and without `/api` in front. Undefined where nothing does. */
export function createRouter(state: ServerState): (method: string, path: string) => Found | undefined {
  const fixed = new Map<string, Handler>()
  const patterns: { method: string; segments: string[]; handler: Handler }[] = []
  const all: Routes = {
    ...withApi({ ...queueRoutes(state), ...fileRoutes(state), ...infoRoutes(state) }),
    ...(state.traits.hasJobsApi && jobListRoutes(state)),
    ...draftRoutes(state),
  }
  for (const [route, handler] of Object.entries(all)) {
    const [method = '', path = ''] = route.split(' ')
    if (path.includes(':')) patterns.push({ method, segments: path.split('/'), handler })
    else fixed.set(route, handler)
  }

  return (method, path) => {
    const wanted = method === 'HEAD' ? 'GET' : method
    const handler = fixed.get(`${wanted} ${path}`)
    if (handler) return { handler, parameters: {} }
    const segments = path.split('/')
    for (const pattern of patterns) {
      if (pattern.method !== wanted) continue
      const parameters = match(pattern.segments, segments)
      if (parameters) return { handler: pattern.handler, parameters }
    }
    return undefined
  }
}

interface Found {
  handler: Handler
  parameters: Record<string, string>
}

function withApi(routes: Routes): Routes {
  const doubled = Object.entries(routes).flatMap(([route, handler]) => [
    [route, handler] as const,
    [route.replace(' /', ' /api/'), handler] as const,
  ])
  return Object.fromEntries(doubled)
}

function match(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined
  const parameters: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? ''
    if (part.startsWith(':')) parameters[part.slice(1)] = decodeSegment(segment)
    else if (part !== segment) return undefined
  }
  return parameters
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    // A stray percent sign stands for itself.
    return segment
  }
}
