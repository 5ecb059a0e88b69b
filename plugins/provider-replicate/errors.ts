import { defineErrors } from '../../src/plugins/contract.js'

/** What can be wrong with a server entry. What goes wrong with a job is a RenderFailure. */
export const replicateFailure = defineErrors('replicate', {
  TOKEN_MISSING: (d: { server: string }) =>
    `${d.server} has no token: write "token: \${REPLICATE_API_TOKEN}" in its entry, and set that variable to your token`,
  TOKEN_INVALID: (d: { server: string }) =>
    `The token of ${d.server} holds a character that no header may hold, such as a line break: mend its variable`,
  URL_INVALID: (d: { server: string; url: string }) =>
    `The address of ${d.server} is none that a token is sent to (${d.url}): leave "url" out, or write it as https://host/path`,
  CA_UNREADABLE: (d: { server: string; file: string; reason: string }) =>
    `The certificate authority of ${d.server} cannot be read from ${d.file} (${d.reason}): mend "ca" of its entry`,
  OPTIONS_INVALID: (d: { server: string; problems: readonly string[] }) =>
    `The options of ${d.server} are wrong: ${d.problems.join('; ')}`,
})
