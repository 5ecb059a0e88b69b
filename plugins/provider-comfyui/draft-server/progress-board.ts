import type { ClientHub } from './client-hub.js'

/** The state of the nodes of one job, told to its client at every change. */
export class ProgressBoard {
  private readonly nodes: Record<string, Record<string, unknown>> = {}

  constructor(
    private readonly hub: ClientHub,
    private readonly clientId: string | undefined,
    private readonly promptId: string,
  ) {}

  start(id: string): void {
    this.set(id, 0, 1, 'running')
  }

  tick(id: string, value: number, max: number): void {
    this.set(id, value, max, 'running')
  }

  finish(id: string): void {
    const max = Number(this.nodes[id]?.max ?? 1)
    this.set(id, max, max, 'finished')
  }

  private set(id: string, value: number, max: number, state: string): void {
    const own = { node_id: id, prompt_id: this.promptId, display_node_id: id, parent_node_id: null, real_node_id: id }
    this.nodes[id] = { value, max, state, ...own }
    this.hub.send(this.clientId, 'progress_state', { prompt_id: this.promptId, nodes: this.nodes })
  }
}
