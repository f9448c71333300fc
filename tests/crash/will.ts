/** What is still seen to when we are gone, however we went: a test that is killed leaves nothing behind. */

import { spawn } from 'node:child_process'

/**
 * Runs the script, of `sh`, with these arguments as soon as we have ended.
 * @returns how to call that off, once there is nothing left to see to
 */
export function whenWeEnd(script: string, args: readonly (string | number)[]): () => void {
  // It reads a line from us. Getting the end of the pipe instead, we are gone.
  const watcher = spawn('sh', ['-c', `read -r word && exit\n${script}`, 'tidegate-crash', ...args.map(String)], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watcher.on('error', () => undefined)
  watcher.stdin.on('error', () => undefined)
  watcher.unref()
  return () => void watcher.stdin.end('called off\n')
}
