/**
 * Keeps a folder to one gateway at a time. The lock is a socket that its holder listens on, so that the system knows
 * whether there still is one: it survives no kill, takes no number of a process for another's, and holds between
 * containers that share the folder and see nothing else of each other. Not between machines.
 */

import { mkdir, unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join, resolve } from 'node:path'
import { GatewayRefusal } from './refusal.ts'
import { pause } from './retry.ts'

export type FolderLock = { readonly release: () => Promise<void> }

/** The system's bound for the name of a socket, on the one that has the least. */
const longestPath = 103

const settlingMs = 20

/** @throws GatewayRefusal where another process has it */
export async function lockFolder(dir: string): Promise<FolderLock> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const path = join(resolve(dir), 'lock')
  if (Buffer.byteLength(`${path}.takeover`) > longestPath) {
    throw new GatewayRefusal(
      'setting',
      `The path of the data folder ${dir} is too long to keep a second gateway out of it.`,
      `Name one of ${longestPath - '/lock.takeover'.length} bytes at most, from the root.`,
    )
  }
  return acquire(path, dir)
}

async function acquire(path: string, dir: string): Promise<FolderLock> {
  for (;;) {
    const server = await listenOn(path)
    if (server !== 'taken') return { release: () => close(server) }
    if (await isHeld(path)) throw inUse(dir)
    await clear(path, dir)
  }
}

/** Takes away what a dead holder left; one at a time, so that nobody takes away the lock of whoever came next. */
async function clear(path: string, dir: string): Promise<void> {
  const takeover = path.endsWith('.takeover') ? undefined : await acquire(`${path}.takeover`, dir)
  try {
    if (await isHeld(path)) return
    // Its name is there for a moment before whoever takes it is heard.
    await pause(settlingMs, new AbortController().signal)
    if (!(await isHeld(path))) await unlink(path).catch(ifThere)
  } finally {
    await takeover?.release()
  }
}

const ifThere = (error: unknown): void => {
  if (codeOf(error) !== 'ENOENT') throw error
}

const inUse = (dir: string): GatewayRefusal =>
  new GatewayRefusal(
    'in-use',
    `The data folder ${dir} is in use by another gateway.`,
    'Stop that one, or give this one a folder and an invitation of its own: tidegate gateways new NAME',
  )

const listenOn = (path: string): Promise<Server | 'taken'> =>
  new Promise((done, fail) => {
    // Whoever looks whether somebody is there has seen it by now.
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error) => (codeOf(error) === 'EADDRINUSE' ? done('taken') : fail(error)))
    // It keeps no process from its end.
    server.listen({ path }, () => done(server)).unref()
  })

const isHeld = (path: string): Promise<boolean> =>
  new Promise((done, fail) => {
    const socket = connect({ path })
    socket.once('connect', () => done(true)).once('connect', () => socket.destroy())
    socket.once('error', (error) => {
      // Whoever listened went away while we knocked; another may have come.
      if (codeOf(error) === 'ECONNRESET') done(isHeld(path))
      else if (nobody.includes(codeOf(error))) done(false)
      else fail(error)
    })
  })

/** Nobody listens; there is nothing; it is an ordinary file, such as a copy is. */
const nobody: readonly unknown[] = ['ECONNREFUSED', 'ENOENT', 'ENOTSOCK']

const close = (server: Server): Promise<void> => new Promise((done) => void server.close(() => done()))

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)
