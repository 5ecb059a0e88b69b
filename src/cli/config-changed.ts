/** For whoever edits the configuration while another process works on the home. */
export const configChangedHint =
  'foundry.yaml was changed since the process that works here began: what it says now holds from its next start'
