import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A module of another client, found from where they are installed. What it exports its own pages promise. */
export async function loadPeer<Module>(peers: string, name: string): Promise<Module> {
  const { load } = (await import(pathToFileURL(join(peers, loaderFile)).href)) as {
    load(name: string): Promise<Module>
  }
  return load(name)
}

/** Names are resolved from the file that imports them, so one lies beside the installed packages. */
export const loaderFile = 'load.mjs'
export const loaderText = 'export const load = name => import(name)\n'
