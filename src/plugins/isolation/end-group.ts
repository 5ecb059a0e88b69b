/** Ends a process that leads a group, and all that it has started. One that is gone already stays gone. */
export function endGroup(pid: number): void {
  try {
    // Windows has no groups of processes.
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL')
  } catch {
    // Nobody of it is left.
  }
}
