import type { IConfiguration } from 'dependency-cruiser'

/** Folders of src/ in order of dependency: each imports only from those before it. */
const layers = [
  'errors',
  'schema',
  'files',
  'config',
  'library',
  'mixing',
  'workflow',
  'plan',
  'record',
  'identity',
  'personas',
  'plugins',
  'farm',
  'worker',
  'intake',
  'operations',
]
const doors = 'api|cli|console'

const upward = layers.map((layer, at) => ({
  name: `layer-${layer}`,
  comment: `src/${layer} imports only from the folders before it`,
  severity: 'error' as const,
  from: { path: `^src/${layer}(/|\\.ts$)` },
  to: { path: `^src/(${[...layers.slice(at + 1), doors, 'daemon'].join('|')})(/|\\.ts$)` },
}))

const configuration: IConfiguration = {
  forbidden: [
    ...upward,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'plugins-use-the-contract-alone',
      severity: 'error',
      from: { path: '^plugins/' },
      to: { path: '^src/', pathNot: '^src/plugins/contract\\.ts$' },
    },
    { name: 'core-knows-no-plugin', severity: 'error', from: { path: '^src/' }, to: { path: '^plugins/' } },
    {
      name: 'pure-folders-touch-nothing',
      severity: 'error',
      from: { path: '^src/(mixing|workflow|plan)/|^src/farm/choose-' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?crypto$' },
    },
    {
      name: 'farm-speaks-no-http',
      severity: 'error',
      from: { path: '^src/farm/' },
      to: { path: 'undici|fastify|^(node:)?https?$|^ws$' },
    },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    { name: 'tests-are-not-used', severity: 'error', from: { path: '^(src|plugins)/' }, to: { path: '^test/' } },
    {
      name: 'no-dead-files',
      comment: 'Everything is reached from the command line, a plugin or the plugin contract',
      severity: 'error',
      from: { path: '^src/cli/main\\.ts$|^src/plugins/contract\\.ts$|^plugins/[^/]+/(index|.*main)\\.ts$' },
      to: {
        path: '^(src|plugins)/',
        pathNot: '^src/cli/main\\.ts$|^src/plugins/contract\\.ts$|^plugins/[^/]+/(index|.*main)\\.ts$',
        reachable: false,
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|node_modules|src/plugins/skeletons)' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js'],
    },
    reporterOptions: { text: { highlightFocused: true } },
  },
}
export default configuration
