import { type ErrorCode, FoundryError } from '../errors.js'

/** What cron reads. */
export const exitCodes = {
  done: 0,
  someFailed: 1,
  badInput: 2,
  noServer: 3,
  internal: 70,
  timedOut: 124,
  interrupted: 130,
} as const

const codeByError: Record<ErrorCode, number> = {
  CONFIG_INVALID: exitCodes.badInput,
  USAGE_INVALID: exitCodes.badInput,
  FILE_TOO_LARGE: exitCodes.badInput,
  FILE_NOT_REGULAR: exitCodes.badInput,
  FILE_CHANGED_WHILE_READ: exitCodes.badInput,
  FILE_UNREADABLE: exitCodes.badInput,
  PATH_ESCAPES: exitCodes.badInput,
  FILE_WRITE_FAILED: exitCodes.internal,
  JSON_NOT_CANONICAL: exitCodes.internal,
  HOME_OWNED: exitCodes.badInput,
  HOME_OWNERSHIP_LOST: exitCodes.internal,
  HOME_MISSING: exitCodes.badInput,
  JOURNAL_CORRUPT: exitCodes.internal,
  JOURNAL_BROKEN: exitCodes.internal,
  DROP_INVALID: exitCodes.badInput,
  RUN_UNKNOWN: exitCodes.badInput,
  RUN_AMBIGUOUS: exitCodes.badInput,
  RUN_STATE_UNFIT: exitCodes.badInput,
  SLOT_UNKNOWN: exitCodes.badInput,
  SOURCE_CHANGED: exitCodes.someFailed,
  PLUGIN_INVALID: exitCodes.badInput,
  PLUGIN_HOOK_FAILED: exitCodes.internal,
  TEMPLATE_UNKNOWN: exitCodes.badInput,
  WORKFLOW_UNKNOWN: exitCodes.badInput,
  WORKFLOW_UNBOUND: exitCodes.badInput,
  TALENT_UNKNOWN: exitCodes.badInput,
  SERVER_NONE: exitCodes.noServer,
  SERVER_UNFIT: exitCodes.someFailed,
  OUTPUT_INVALID: exitCodes.someFailed,
  PICTURES_FAILED: exitCodes.internal,
  IMAGE_UNTRACED: exitCodes.badInput,
  IMAGE_ALTERED: exitCodes.badInput,
  IMAGE_DAMAGED: exitCodes.badInput,
  IMAGE_PRIVATE: exitCodes.badInput,
  VERIFY_FAILED: exitCodes.someFailed,
  TIMED_OUT: exitCodes.timedOut,
  INTERRUPTED: exitCodes.interrupted,
  OPERATION_INVALID: exitCodes.badInput,
  PRIVATE_TEXT_REJECTED: exitCodes.badInput,
}

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof FoundryError)) return exitCodes.internal
  return (codeByError as Record<string, number>)[error.code] ?? exitCodes.internal
}
