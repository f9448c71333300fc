import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ifPresent } from './files.ts'
import { sightProcess, stopProcess, strangerWith } from './process.ts'

/**
 * Stops the server that a killed Tidegate left on this cluster, if it still runs. The caller holds the lock of the data
 * folder, so no living Tidegate uses that server.
 * @throws EmbeddedError `stop-failed`
 */
export async function stopOrphan(cluster: string): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid')
  const pid = Number.parseInt((await ifPresent(readFile(pidFile, 'utf8'))) ?? '', 10)
  if (!(pid > 0)) return
  const sighting = await sightProcess(pid)
  if (sighting.state !== 'running') return
  if (isServerOn(cluster, sighting.command)) await stopProcess(strangerWith(pid), 'fast')
  // The number is another program's by now. PostgreSQL, which takes whoever bears it for a server, would not start.
  else await rm(pidFile, { force: true })
}

function isServerOn(cluster: string, command: string): boolean {
  return `${command} `.includes(` -D ${cluster} `)
}
