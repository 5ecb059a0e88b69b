/** One field of a form. */
export interface FormPart {
  name: string
  /** Present for files, may be empty. */
  filename?: string
  value: Buffer
}

/** Parts beyond this are not read. */
const partsMax = 64

/** The parts of a `multipart/form-data` body, or undefined where the content type says otherwise. */
export function parseMultipart(contentType: string | undefined, body: Buffer): FormPart[] | undefined {
  const boundary = /^multipart\/form-data\s*;.*boundary="?([^";]+)"?/i.exec(contentType ?? '')?.[1]
  if (boundary === undefined) return undefined
  const delimiter = Buffer.from(`--${boundary}`)
  const parts: FormPart[] = []
  let start = body.indexOf(delimiter)
  while (start >= 0 && parts.length < partsMax) {
    const end = body.indexOf(delimiter, start + delimiter.length)
    if (end < 0) break
    // Between the delimiters: CRLF, headers, an empty line, the value, CRLF.
    const part = parsePart(body.subarray(start + delimiter.length + 2, end - 2))
    if (part) parts.push(part)
    start = end
  }
  return parts
}

function parsePart(bytes: Buffer): FormPart | undefined {
  const headersEnd = bytes.indexOf('\r\n\r\n')
  if (headersEnd < 0) return undefined
  const disposition = /^content-disposition:(.*)$/im.exec(bytes.toString('utf8', 0, headersEnd))?.[1] ?? ''
  const name = /[; ]name="([^"]*)"/i.exec(disposition)?.[1]
  const filename = /[; ]filename="([^"]*)"/i.exec(disposition)?.[1]
  if (name === undefined) return undefined
  return { name, ...(filename !== undefined && { filename }), value: bytes.subarray(headersEnd + 4) }
}
