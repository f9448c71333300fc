/** A process with everything it has started: PostgreSQL is a dozen of them, and each backend leads a group of its own. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { sightProcess } from '../../packages/server/src/embedded/process.ts'
import { whenWeEnd } from './will.ts'

const run = promisify(execFile)

/** Those of before come first. */
async function treeOf(root: number): Promise<readonly number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid='])
  const children = new Map<number, number[]>()
  for (const line of stdout.trim().split('\n')) {
    const [pid = 0, parent = 0] = line.trim().split(/\s+/).map(Number)
    children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const tree = [root]
  for (const pid of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has gone by itself.
  }
}

/**
 * From here on none of them does anything, until what this resolves with is called. Should we end first, they go on,
 * and so get to hear who tells them to stop.
 */
export async function pauseTree(root: number): Promise<() => void> {
  const tree = await stopTree(root)
  const callOff = whenWeEnd('kill -CONT "$@"', tree)
  return () => {
    for (const pid of tree.toReversed()) send(pid, 'SIGCONT')
    callOff()
  }
}

/** As when the power goes: none of them does anything more. Resolves when none is left. */
export async function killTree(root: number): Promise<void> {
  const tree = await stopTree(root)
  for (const pid of tree) send(pid, 'SIGKILL')
  for (const pid of tree) await gone(pid)
}

/** Whoever is stopped starts no others, so the parent is first. */
async function stopTree(root: number): Promise<readonly number[]> {
  send(root, 'SIGSTOP')
  const tree = await treeOf(root)
  for (const pid of tree.slice(1)) send(pid, 'SIGSTOP')
  return tree
}

const pollMs = 10

async function gone(pid: number): Promise<void> {
  while ((await sightProcess(pid)).state !== 'gone') await new Promise((resolve) => setTimeout(resolve, pollMs))
}
