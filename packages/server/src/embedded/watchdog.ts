import { spawn } from 'node:child_process'
import type { Account } from './account.ts'
import { asAccount } from './account.ts'

export interface Watchdog {
  /** The watched process is gone, and its number may soon be another's: there is nothing left to watch. */
  dismiss(): void
}

/**
 * Reads a line from us. Getting one, it is dismissed. Getting the end of the pipe instead, we have died, however that
 * came about, and it stops the postmaster: fast, and after thirty seconds at once.
 */
const script = `
  read -r word && exit
  kill -INT "$1" 2>/dev/null
  for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    kill -0 "$1" 2>/dev/null || exit
    sleep 1
  done
  kill -QUIT "$1" 2>/dev/null
`

/**
 * Sees to it that a postmaster does not outlive us. It runs as the postmaster's account, so it can harm nothing else,
 * and in a process group of its own, so that Ctrl-C does not reach it. Where it cannot be started, the next start on
 * the data folder stops the orphan.
 */
export function startWatchdog(pid: number, account: Account | undefined): Watchdog {
  const child = spawn('sh', ['-c', script, 'tidegate-watchdog', String(pid)], {
    ...asAccount(account),
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  // Neither an absent shell nor a watchdog that someone killed is a reason to stop.
  child.on('error', () => {})
  child.stdin.on('error', () => {})
  return { dismiss: () => void child.stdin.end('dismissed\n') }
}
