import { mkdtemp, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { givenUp, startEndlessForTest } from '../../../tests/support/endless.ts'
import { exportLog } from './export-log.ts'
import { readEntries } from './read-entries.ts'
import type { ReadEntriesOptions } from './read-entries.ts'
import { directorySource, directoryWriter, httpSource } from './source.ts'
import {
  flipBit,
  memorySource,
  publish,
  publishEntries,
  sampleEntries,
  sampleEntry,
  sampleKey,
  withFile,
} from './testing/sample-log.ts'
import { encodeEntry } from './entry.ts'
import { verifyLog } from './verify-log.ts'

const key = sampleKey()
const log = publishEntries(sampleEntries(600), key)

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidegate-audit-'))
})
afterEach(() => rm(directory, { recursive: true }))

describe('a log in a directory', () => {
  test('is copied, read and verified', async () => {
    const writer = directoryWriter(directory)
    expect(await exportLog({ source: memorySource(log.files), writer, vkey: key.vkey })).toEqual({
      ok: true,
      size: 600,
    })
    const source = directorySource(directory)
    expect(await verifyLog({ source, vkey: key.vkey })).toMatchObject({ ok: true, size: 600 })
    for (const [path, bytes] of log.files)
      expect(Buffer.from((await source.read(path)) ?? [])).toEqual(Buffer.from(bytes))
  })

  test('has no resource where there is no file, or something else than one', async () => {
    const source = directorySource(directory)
    expect(await source.read('checkpoint')).toBeUndefined()
    await mkdir(join(directory, 'checkpoint'))
    expect(await source.read('checkpoint')).toBeUndefined()
    await writeFile(join(directory, 'tile'), '')
    expect(await source.read('tile/0/000')).toBeUndefined()
  })

  test('does not read or write outside, or anything that is not of a log', async () => {
    for (const path of ['../checkpoint', '/etc/passwd', 'tile/0/../../../x', 'key.pem', 'checkpoint\0', '']) {
      await expect(directorySource(directory).read(path)).rejects.toThrow(RangeError)
      await expect(directoryWriter(directory).write(path, new Uint8Array())).rejects.toThrow(RangeError)
    }
  })

  test('does not read files beyond what their kind can have, nor devices', async () => {
    await mkdir(join(directory, 'tile/0'), { recursive: true })
    await writeFile(join(directory, 'tile/0/000'), new Uint8Array(8_193))
    await expect(directorySource(directory).read('tile/0/000')).rejects.toThrow('exceeds 8192 bytes')
    await symlink('/dev/zero', join(directory, 'checkpoint'))
    expect(await directorySource(directory).read('checkpoint')).toBeUndefined()
  })
})

describe('an export', () => {
  test('writes the checkpoint last', async () => {
    const written: string[] = []
    const writer = { write: async (path: string) => void written.push(path) }
    await exportLog({ source: memorySource(log.files), writer, vkey: key.vkey })
    expect(written.at(-1)).toBe('checkpoint')
    expect(written.toSorted()).toEqual([...log.files.keys()].toSorted())
  })

  test.each([
    ['tile/entries/001', undefined, 'missing'],
    ['tile/0/002.p/88', new Uint8Array(32), 'malformed-tile'],
    ['tile/entries/001', new Uint8Array(3), 'malformed-bundle'],
    ['checkpoint', flipBit(log.files.get('checkpoint') as Uint8Array, 3), 'bad-signature'],
  ])('that finds %s wrong writes no checkpoint', async (path, bytes, reason) => {
    const written: string[] = []
    const writer = { write: async (at: string) => void written.push(at) }
    const source = memorySource(withFile(log.files, path, bytes))
    expect(await exportLog({ source, writer, vkey: key.vkey })).toMatchObject({ ok: false, reason })
    expect(written).not.toContain('checkpoint')
  })

  test('throws what the writer throws', async () => {
    const writer = { write: () => Promise.reject(new Error('disk full')) }
    await expect(exportLog({ source: memorySource(log.files), writer, vkey: key.vkey })).rejects.toThrow('disk full')
  })
})

describe('a log behind a URL', () => {
  const servers: Server[] = []
  const serve = async (answer: RequestListener): Promise<string> => {
    const server = createServer(answer)
    servers.push(server)
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/log`
  }
  afterEach(() => {
    for (const server of servers.splice(0)) server.close().closeAllConnections()
  })

  test('verifies', async () => {
    const url = await serve((request, response) => {
      const bytes = log.files.get(request.url?.slice('/log/'.length) ?? '')
      response.writeHead(bytes === undefined ? 404 : 200).end(bytes)
    })
    expect(await verifyLog({ source: httpSource(url, { fetch }), vkey: key.vkey })).toMatchObject({
      ok: true,
      size: 600,
    })
    expect(await httpSource(`${url}/`, { fetch }).read('tile/5/000')).toBeUndefined()
  })

  test('is unreadable where it answers with faults, redirects or without end', async () => {
    const answers: Record<string, RequestListener> = {
      '/log/tile/0/000': (_, response) => response.writeHead(500).end(),
      '/log/tile/0/001': (_, response) => response.writeHead(302, { location: '/log/checkpoint' }).end(),
      '/log/tile/0/002': (_, response) => {
        response.writeHead(200)
        const more = (): void => void (response.destroyed || response.write(new Uint8Array(4_096), more))
        more()
      },
    }
    const url = await serve((request, response) => answers[request.url ?? '']?.(request, response))
    const { read } = httpSource(url, { fetch })
    await expect(read('tile/0/000')).rejects.toThrow('status 500')
    await expect(read('tile/0/001')).rejects.toThrow()
    await expect(read('tile/0/002')).rejects.toThrow('exceeds 8192 bytes')
    await expect(read('../secrets')).rejects.toThrow(RangeError)
  })

  test('that never answers is given up on the signal, or after the timeout', async () => {
    const url = await serve(() => undefined)
    const abort = new AbortController()
    const reading = httpSource(url, { fetch, signal: abort.signal }).read('checkpoint')
    abort.abort(new Error('the auditor went home'))
    await expect(reading).rejects.toThrow('the auditor went home')
    const verdict = await verifyLog({ source: httpSource(url, { fetch, timeoutMs: 20 }), vkey: key.vkey })
    expect(verdict).toMatchObject({ ok: false, reason: 'unreadable' })
  })
})

describe('reading entries', () => {
  const ids = async (options: Partial<ReadEntriesOptions>): Promise<readonly string[]> => {
    const found: string[] = []
    for await (const { index, entry } of readEntries({
      source: memorySource(log.files),
      tree: log,
      from: 0,
      to: 600,
      ...options,
    })) {
      expect(entry.id).toBe(`ent_${index}`)
      found.push(entry.id)
    }
    return found
  }

  test.each([
    [0, 600],
    [0, 0],
    [600, 600],
    [255, 257],
    [256, 512],
    [300, 301],
    [599, 600],
  ])('from %i to %i gives these, in order', async (from, to) => {
    const expected = sampleEntries(600).slice(from, to)
    expect(await ids({ from, to })).toEqual(expected.map(({ id }) => id))
  })

  test.each([1, 255, 256, 257, 512, 513])('proves every bundle of a tree of size %i', async (size) => {
    const small = publishEntries(sampleEntries(size), key)
    expect(await ids({ source: memorySource(small.files), tree: small, to: size })).toHaveLength(size)
  })

  test('gives out nothing of a bundle that is not of the tree', async () => {
    const other = publishEntries(sampleEntries(600).with(300, sampleEntry(9_999)), key)
    const source = memorySource(withFile(log.files, 'tile/entries/001', other.files.get('tile/entries/001')))
    await expect(ids({ source, from: 256 })).rejects.toThrow('tile/entries/001 is not of the tree of size 600')
    await expect(ids({ source: memorySource(other.files), from: 512 })).rejects.toThrow('tile/entries/002.p/88')
    expect(await ids({ source, from: 0, to: 256 })).toHaveLength(256)
  })

  test('names what is missing or malformed', async () => {
    const without = (path: string): Promise<unknown> =>
      ids({ source: memorySource(withFile(log.files, path, undefined)) })
    await expect(without('tile/entries/001')).rejects.toThrow('tile/entries/001 is missing')
    await expect(without('tile/1/000.p/2')).rejects.toThrow('tile/1/000.p/2 is missing')
    const odd = publish([...sampleEntries(2).map(encodeEntry), Buffer.from('{}')], key)
    await expect(ids({ source: memorySource(odd.files), tree: odd, to: 3 })).rejects.toThrow('entry 2: ')
  })

  test('outside the tree is refused', async () => {
    for (const range of [{ from: -1 }, { to: 601 }, { from: 5, to: 4 }, { from: 0.5 }, { from: Number.NaN }]) {
      await expect(ids(range)).rejects.toThrow(RangeError)
    }
  })
})

test('a log whose answers never end is given up, whatever was collected as garbage meanwhile', async () => {
  const endless = await startEndlessForTest()
  await givenUp(endless, (signal) => httpSource(endless.url, { fetch, signal }).read('checkpoint'))
  await expect.poll(endless.left).toBe(1)
})
