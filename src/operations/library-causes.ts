import type { Problem } from '../errors.js'

/** Files of the library by what is missing when they are faulty. */
const fileByCode: ReadonlyMap<string, RegExp> = new Map([
  ['TEMPLATE_UNKNOWN', /\.template\.ya?ml$/i],
  ['SLIDER_UNKNOWN', /(?:^|\/)style\.ya?ml$/i],
])

/** Mistakes of the library that may be why a template or a slider is unknown: its file is there, and was left out. */
export function causesInLibrary(problems: readonly Problem[], library: readonly Problem[]): Problem[] {
  const names = [...new Set(problems.map(({ code }) => fileByCode.get(code)))]
  return names.flatMap(name =>
    library.filter(({ severity, file = '' }) => severity === 'error' && name?.test(file.replaceAll('\\', '/'))),
  )
}
