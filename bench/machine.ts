/** On what the figures were taken: without it they say little. */

import { mkdtemp, open, rm } from 'node:fs/promises'
import { cpus, loadavg, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { percentile } from './harness.ts'

export type Machine = {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly platform: string
  readonly node: string
  /** Of the last minute, when the run began: what else the machine was doing. */
  readonly loadAverage: number
  /** Where the databases stand. */
  readonly folder: string
  /** 8 KiB written and synchronised, again and again for a second: what a commit waits for at least. */
  readonly fsync: { readonly perSecond: number; readonly p50Ms: number; readonly p99Ms: number }
}

export async function describeMachine(): Promise<Machine> {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    loadAverage: loadavg()[0] ?? Number.NaN,
    folder: tmpdir(),
    fsync: await probeDisk(1_000),
  }
}

async function probeDisk(forMs: number): Promise<Machine['fsync']> {
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-fsync-'))
  const file = await open(join(folder, 'probe'), 'w')
  const page = Buffer.alloc(8_192, 1)
  const samples: number[] = []
  const begun = performance.now()
  try {
    while (performance.now() - begun < forMs) {
      const before = performance.now()
      await file.write(page)
      await file.datasync()
      samples.push(performance.now() - before)
    }
  } finally {
    await file.close()
    await rm(folder, { recursive: true, force: true })
  }
  const sorted = samples.toSorted((a, b) => a - b)
  return {
    perSecond: Math.round((samples.length * 1_000) / (performance.now() - begun)),
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
  }
}

export const machineText = (machine: Machine): string =>
  [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.platform}, Node.js ${machine.node}`,
    `load average ${machine.loadAverage.toFixed(2)} when the run began`,
    `${machine.folder}: ${machine.fsync.perSecond} writes of 8 KiB with fdatasync a second, ` +
      `p50 ${machine.fsync.p50Ms.toFixed(2)} ms, p99 ${machine.fsync.p99Ms.toFixed(2)} ms`,
  ].join('\n')
