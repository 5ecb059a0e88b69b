import type { Exchange } from './http-exchange.js'

/** Answers a request; path parameters by name, decoded. */
export type Handler = (exchange: Exchange, parameters: Record<string, string>) => void | Promise<void>
/** Handlers by `METHOD /path`, where `:name` stands for one segment. */
export type Routes = Record<string, Handler>
