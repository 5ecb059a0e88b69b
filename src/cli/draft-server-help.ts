/** What `--option` of `foundry draft-server` takes. The plugin checks the values; a test compares these words with what it takes. */
export const draftServerOptionsHelp = `
Options of the draft server (--option name=value):
  port          0–65535; 0: any free one
  version       the ComfyUI it imitates: 0.12.1 (default) or 0.3.64
  models        any (default: every name is accepted), or as JSON the files by folder, each with its sizeBytes
  lenient       true (default): accepts node classes that it does not know
  isDisguised   true: does not say that it paints drafts, and is taken for a real server
  ledgerFile    a file to which every start and end of a job is appended as a JSON line
  bodyBytesMax  largest request, 1–4294967296 bytes (default 100 MiB)
Faults, all off by default (also written faults.name=value):
  jobMs, stepMs                  how long a job, a step takes: 0–2147483647 ms
  modelLoadMs, loraLoadMs        what a change of models, of LoRAs costs: 0–2147483647 ms
  historyLateMs, postDelayMs     how late the history, the answer to a submitted job comes: 0–2147483647 ms
  dropSocketsEveryMs             how often all sockets are cut: 0–2147483647 ms; 0: never
  steps                          steps reported per sampler, 0–10000; 0: as in the graph
  failRate, failSeed             share of jobs that fail, 0–1, drawn from that seed (a whole number from 0)
  failNext, failWith             how many of the next jobs fail, and how: error or out-of-memory
  failOn, crashOn                jobs whose graph has this text fail, take the server down
  postLost, noOutputs            how many of the next jobs are queued unanswered, report no picture
  viewTruncated, wrongSize, black  how many of the next pictures are cut short, of another size, black
  repeat                         how many of the next pictures are the one before them
  driftFrom, driftBy             from which picture on the character drifts (0: never), and how far, 0–1
  workerDead, silentSockets      true: nothing runs; sockets carry nothing
  prepared, previews             true: one painted picture per size; preview frames while sampling
`
