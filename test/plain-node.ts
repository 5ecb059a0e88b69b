/**
 * Command and arguments that start Node as a user would. The test runner hooks itself into every Node process below it, which makes each
 * start four times as slow; the shell takes the hook off and then becomes Node, so signals and process ids are its own.
 * `FOUNDRY_TEST_COVERAGE=1` leaves the hook on, to measure coverage of whole programs.
 */
export function plainNode(args: readonly string[], flags = shortLived): [command: string, args: string[]] {
  if (process.env['FOUNDRY_TEST_COVERAGE'] === '1') return [process.execPath, [...args]]
  return ['/bin/sh', ['-c', 'unset NODE_OPTIONS; exec "$0" "$@"', process.execPath, ...flags, ...args]]
}

/** Hundreds of processes of a second each: what V8 optimises early and collects often is gone before it pays. A third of all CPU. */
const shortLived: readonly string[] = ['--interrupt-budget=1000000', '--min-semi-space-size=16']
