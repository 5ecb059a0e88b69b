import { join } from 'node:path'

/** Where things lie in a home. All paths are absolute when `home` is. */
export interface HomePaths {
  home: string
  talents: string
  workflows: string
  manifests: string
  runs: string
  plugins: string
  configFile: string
  /** What only the foundry writes. */
  dot: string
  journal: string
  staging: string
  problems: string
  orphans: string
  /** Reference pictures of all runs, by their content. */
  references: string
  index: string
  /** Where workers put their pictures, unless another folder is named. */
  shared: string
  speeds: string
  /** Versions and hashes of the code of plugins, as they were when they last ran. */
  pluginCode: string
}

export function homePaths(home: string): HomePaths {
  const dot = join(home, '.foundry')
  return {
    home,
    talents: join(home, 'talents'),
    workflows: join(home, 'workflows'),
    manifests: join(home, 'manifests'),
    runs: join(home, 'runs'),
    plugins: join(home, 'plugins'),
    configFile: join(home, 'foundry.yaml'),
    dot,
    journal: join(dot, 'journal'),
    staging: join(dot, 'staging'),
    problems: join(dot, 'problems'),
    orphans: join(dot, 'orphans'),
    references: join(dot, 'references'),
    index: join(dot, 'index.json'),
    shared: join(dot, 'shared'),
    speeds: join(dot, 'speeds.json'),
    pluginCode: join(dot, 'plugins.json'),
  }
}
