import { defineErrors } from '../../src/plugins/contract.js'

/** What can be wrong with a server entry or a server as a whole. What goes wrong with a job is a RenderFailure. */
export const comfyFailure = defineErrors('comfyui', {
  URL_INVALID: (d: { server: string; url: string }) =>
    `The address of ${d.server} is not one of a server (${d.url}): write it as http://host:port or https://host/path`,
  CA_UNREADABLE: (d: { server: string; file: string; reason: string }) =>
    `The certificate authority of ${d.server} cannot be read from ${d.file} (${d.reason}): mend "ca" of its entry`,
  HEADER_INVALID: (d: { server: string; header: string }) =>
    `The header "${d.header}" of ${d.server} holds a character that no header may hold, such as a line break: mend its value`,
  SERVER_TOO_OLD: (d: { server: string; version: string; oldest: string }) =>
    `${d.server} runs ComfyUI ${d.version}, which cannot be told our prompt ids: update it to ${d.oldest} or later`,
  SERVER_FOREIGN: (d: { server: string; found: string }) =>
    `${d.server} does not answer as ComfyUI does (${d.found}): check its address and what stands before it`,
  UPLOAD_INVALID: (d: { reason: string }) => `The picture cannot be uploaded: ${d.reason}`,
})
