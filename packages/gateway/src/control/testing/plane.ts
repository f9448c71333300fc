/**
 * A control plane as far as one gateway sees it: takes and gives what the contract has, holds what a test puts in, and
 * fails as a test wants.
 */

import { createPublicKey, randomBytes, verify } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { EventEmitter } from 'node:events'
import { ApiError, type ErrorCode, type Input, operations, toProblem } from '@tidegate/api'
import { onTestFinished } from 'vitest'
import {
  enrolmentText,
  type GrantFacts,
  type Release,
  type SessionReport,
  signInText,
  type SyncAnswer,
} from '../contract.ts'

const served = {
  enrolGateway: operations.enrolGateway,
  issueGatewayToken: operations.issueGatewayToken,
  signOffGateway: operations.signOffGateway,
  syncGateway: operations.syncGateway,
  releaseLogin: operations.releaseLogin,
  reportSessions: operations.reportSessions,
} as const

type Served = keyof typeof served

export type TestPlane = {
  readonly url: string
  readonly enrolmentToken: string
  readonly grants: Map<string, GrantFacts>
  /** A promise keeps whoever asks waiting. */
  readonly releases: Map<string, Release | Promise<Release>>
  readonly reports: SessionReport[]
  readonly kills: Map<string, string>
  /** Each call that was taken, in order. */
  readonly calls: Served[]
  /** Emits `report` for each report that was taken, and the name of each operation as it is called. */
  readonly happened: EventEmitter
  readonly put: (grant: GrantFacts) => void
  /** As `put`, and told to nobody who does not ask about it by name. */
  readonly hold: (grant: GrantFacts) => void
  readonly end: (grant: string, reason: string) => void
  readonly kill: (session: string, reason: string) => void
  /** Whoever signs in is refused, and whoever waits is put out. */
  readonly putOut: () => void
  readonly fail: (operation: Served, code: ErrorCode | 'cut' | undefined) => void
  /** Nobody answers any more; until it is called again with `false`. */
  readonly silence: (silent: boolean) => void
  /** The clock of the server, against that of this machine. */
  readonly setAheadMs: (ms: number) => void
  readonly forgetCursors: () => void
  /** From the next question on an answer goes on with what changes, until it is cut: in the middle of one, or after it. */
  readonly follow: () => void
  readonly cutFollowed: (where: 'middle' | 'after') => void
  readonly released: string[]
}

type Waiter = () => void

export async function startPlaneForTest(): Promise<TestPlane> {
  const enrolmentToken = `tge_${randomBytes(32).toString('base64url')}`
  const state = {
    key: undefined as string | undefined,
    lastAt: 0,
    tokens: new Set<string>(),
    aheadMs: 0,
    isOut: false,
    isSilent: false,
    follows: false,
    followed: undefined as ServerResponse | undefined,
    epoch: 1,
    changes: [] as Partial<SyncAnswer>[],
  }
  const grants = new Map<string, GrantFacts>()
  const releases: TestPlane['releases'] = new Map()
  const kills = new Map<string, string>()
  const reports: SessionReport[] = []
  const released: string[] = []
  const calls: Served[] = []
  const happened = new EventEmitter().setMaxListeners(0)
  const failing = new Map<Served, ErrorCode | 'cut'>()
  const waiters = new Set<Waiter>()
  const wake = (): void => {
    for (const waiter of waiters) waiter()
  }
  const now = (): number => Date.now() + state.aheadMs
  const iso = (ms: number): string => new Date(ms).toISOString()
  const change = (one: Partial<SyncAnswer>): void => {
    state.changes.push(one)
    wake()
  }

  const held = new Map<string, GrantFacts>()
  const tellHeld = (id: string): void => {
    const grant = held.get(id)
    if (grant === undefined || !held.delete(id)) return
    grants.set(id, grant)
    change({ grants: [grant] })
  }

  const answer = (from: number | undefined): SyncAnswer => {
    const told = from === undefined ? [] : state.changes.slice(from)
    const live = new Map(told.flatMap((one) => one.grants ?? []).map((one) => [one.grant, one]))
    return {
      cursor: `${state.epoch}.${state.changes.length}`,
      whole: from === undefined,
      grants: from === undefined ? [...grants.values()] : [...live.values()].filter(({ grant }) => grants.has(grant)),
      ended: told.flatMap((one) => one.ended ?? []),
      kill: [...kills].map(([session, reason]) => ({ session, reason })),
      statements: [],
      now: iso(now()),
    }
  }
  const positionOf = (cursor: string | undefined): number | undefined => {
    const [epoch, position] = (cursor ?? '').split('.').map(Number)
    return epoch === state.epoch ? position : undefined
  }

  const handlers = {
    enrolGateway({ token, publicKey, address, signature }: Input<'enrolGateway'>) {
      const signed = isSigned({ publicKey, text: enrolmentText({ token, address }), signature })
      if (token !== enrolmentToken || state.key !== undefined || !signed) throw new ApiError('unauthenticated')
      state.key = publicKey
      return { gateway: 'gw-test' }
    },
    issueGatewayToken({ gateway, at, address, signature }: Input<'issueGatewayToken'>) {
      const text = signInText({ gateway, at, address })
      const signed = state.key !== undefined && isSigned({ publicKey: state.key, text, signature })
      const time = Date.parse(at)
      const isNew = time > state.lastAt && Math.abs(time - now()) <= 60_000
      if (state.isOut || !signed || !isNew) throw new ApiError('unauthenticated')
      state.lastAt = time
      const token = `tgw_${randomBytes(32).toString('base64url')}`
      state.tokens.add(`Bearer ${token}`)
      return { token, expiresAt: iso(now() + 600_000) }
    },
    signOffGateway: async () => ({}),
    async syncGateway({ cursor, waitMs, about = [] }: Input<'syncGateway'>) {
      for (const grant of about) tellHeld(grant)
      if (about.length > 0) happened.emit('about', about)
      const from = positionOf(cursor)
      const isNews = from === undefined || from < state.changes.length
      if (!isNews && waitMs > 0) {
        await new Promise<void>((resolve) => {
          const waiter = (): void => {
            clearTimeout(timer)
            waiters.delete(waiter)
            resolve()
          }
          const timer = setTimeout(waiter, waitMs)
          waiters.add(waiter)
        })
      }
      if (state.isOut) throw new ApiError('unauthenticated')
      return answer(positionOf(cursor))
    },
    releaseLogin({ id }: { id: string }) {
      released.push(id)
      const release = releases.get(id)
      if (!grants.has(id) || release === undefined) throw new ApiError('grant-ended')
      return release
    },
    reportSessions({ reports: told }: { reports: SessionReport[] }) {
      for (const report of told) {
        if (report.what === 'ended') kills.delete(report.session)
        reports.push(report)
        happened.emit('report', report)
      }
      return { refused: [] }
    },
  }

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (state.isSilent) return void request.socket.destroy()
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const path = request.url ?? ''
    const found = Object.entries(served).find(([, { path: form }]) =>
      new RegExp(`^${form.replace('{id}', '([^/]+)')}$`).test(path),
    )
    const id = found![0] as Served
    try {
      const failure = failing.get(id)
      happened.emit(id)
      if (failure === 'cut') return void request.socket.destroy()
      if (failure !== undefined) throw new ApiError(failure)
      const isKnown = state.tokens.has(request.headers.authorization ?? '')
      if (served[id].auth === 'gateway' && (!isKnown || state.isOut)) throw new ApiError('unauthenticated')
      const grant = /grants\/([^/]+)\/login/.exec(path)?.[1]
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
      const input = served[id].input.safeParse({ ...(body as object), ...(grant !== undefined && { id: grant }) })
      if (!input.success) throw new ApiError('invalid-input', { detail: input.error.message })
      calls.push(id)
      const isFollowed = state.follows && 'followMs' in input.data
      const output = await handlers[id](input.data as never)
      if (state.isSilent) return void request.socket.destroy()
      if (isFollowed) return goOn(response, output as SyncAnswer)
      send(response, 200, served[id].output.parse(output))
    } catch (error) {
      const problem = toProblem(error instanceof ApiError ? error : new ApiError('internal', { detail: String(error) }))
      send(response, problem.status, problem)
    }
  }
  const goOn = (response: ServerResponse, first: SyncAnswer): void => {
    state.followed = response
    let told = first
    response.write(`${JSON.stringify(told)}\n`)
    const waiter = (): void => {
      told = answer(positionOf(told.cursor))
      if (!response.destroyed) response.write(`${JSON.stringify(told)}\n`)
    }
    waiters.add(waiter)
    response.once('close', () => waiters.delete(waiter))
  }
  const server = createServer((request, response) => {
    response.setHeader('date', new Date(now()).toUTCString())
    void serve(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    wake()
    server.closeAllConnections()
    server.close()
  })

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    enrolmentToken,
    grants,
    releases,
    reports,
    kills,
    calls,
    happened,
    released,
    hold: (grant) => held.set(grant.grant, grant),
    put(grant) {
      grants.set(grant.grant, grant)
      change({ grants: [grant] })
    },
    end(grant, reason) {
      grants.delete(grant)
      change({ ended: [{ grant, reason }] })
    },
    kill(session, reason) {
      kills.set(session, reason)
      change({})
    },
    putOut() {
      state.isOut = true
      wake()
    },
    fail(operation, code) {
      if (code === undefined) failing.delete(operation)
      else failing.set(operation, code)
    },
    silence(silent) {
      state.isSilent = silent
      wake()
      if (silent) server.closeAllConnections()
    },
    setAheadMs(ms) {
      state.aheadMs = ms
    },
    follow() {
      state.follows = true
      wake()
    },
    cutFollowed(where) {
      if (where === 'middle') state.followed?.write(JSON.stringify(answer(undefined)).slice(0, -20))
      else state.followed?.write('\n')
      state.followed?.socket?.end()
    },
    forgetCursors() {
      state.epoch += 1
      wake()
    },
  }
}

type Signed = { readonly publicKey: string; readonly text: string; readonly signature: string }

function isSigned({ publicKey, text, signature }: Signed): boolean {
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(publicKey, 'base64')])
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
  return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64'))
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
