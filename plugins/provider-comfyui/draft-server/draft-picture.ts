/** Everything that a painted draft shows. Absent fields are simply not drawn. */
export interface DraftPicture {
  /** Pixels, 1…16384. */
  width: number
  height: number
  seed: number
  /** The words of the prompt; never set for private text. */
  words?: string
  negative?: string
  /** True where the prompt is private text: the picture then says so instead of showing words. */
  isPrivate: boolean
  template?: string
  view?: string
  subject?: string
  /** Positions by slider name, -1…1. */
  sliders?: Record<string, number>
  /** Colours by role, as written in the order. */
  palette?: Record<string, string>
  finish?: string
  loras?: { talent: string; effective: number }[]
  family?: string
  /** Place among the pictures of one template and view. */
  index?: number
  /** How far this picture strays from the character, 0 (faithful)…1 (another one). */
  drift?: number
}
