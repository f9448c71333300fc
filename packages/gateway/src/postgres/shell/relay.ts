/**
 * Carries messages between two sockets as the dialogue says. The bytes that came are the bytes that go; a side that
 * does not take them stops the other from sending more.
 */

import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import type { SessionRecorder } from '../../recording/event.ts'
import { clientMessages, postgresLimits as limits, readServerMessages, serverMessages } from '../limits.ts'
import type { Dialogue } from '../session/dialogue.ts'
import { clientViolation, type Question, targetViolation, type Verdict } from '../session/state.ts'
import { type Budget, createFramer, type Framer, rulesOf } from '../wire/framer.ts'
import { type Report, terminate } from '../wire/write.ts'
import { readAccepted } from './accepted-reads.ts'
import { createOutlet, type Outlet } from './outlet.ts'
import { createReads, type Listener } from './reads.ts'
import type { OpenTarget } from './target.ts'

type RelayConfig = {
  readonly client: Socket
  readonly target: Socket
  readonly listen: OpenTarget['listen']
  readonly dialogue: Dialogue
  readonly recorder: SessionRecorder
  readonly budget: Budget
  /** Rows are read, and not only passed on. */
  readonly readsRows: boolean
  /** One side broke the protocol, or the dialogue will not go on. */
  readonly onEnd: (report: Report) => void
  /** The client said goodbye; the target has been told. */
  readonly onTerminate: () => void
  readonly onQuestion: (question: Question) => void
}

export type Relay = {
  /** Tells the client something between two messages of the target. */
  readonly tell: (message: Buffer) => void
  /** What was asked is answered: the client's message is dealt with, and it may go on. */
  readonly settle: (verdict: Verdict) => void
  /** What the client has said, and could not be dealt with yet, ends with a goodbye: then its leaving is no breaking off. */
  readonly saysGoodbye: () => boolean
  /** Takes nothing more from the client. What the target says goes on to it, until `close`. */
  readonly deafen: () => void
  /** Calls back between two messages to the client: now, or when the one under way has passed. */
  readonly atBoundary: (callback: () => void) => void
  readonly close: () => void
}

const clientRules = rulesOf(clientMessages)
const serverRules = rulesOf(serverMessages)
const readServerRules = rulesOf(readServerMessages)

type Step = 'go-on' | 'stop'

const nothing: Buffer = Buffer.alloc(0)

type State = RelayConfig & {
  readonly fromClient: Framer
  readonly fromServer: Framer
  readonly toTarget: Outlet
  readonly toClient: Outlet
  /** The client's message that cannot be dealt with yet. */
  held: 'message' | 'part' | undefined
  /** It waits for an approver. */
  asking: boolean
  /** Of a message that comes in parts: the first has been passed on, by either side. */
  passesParts: boolean
  passesTargetParts: boolean
  /** The recorder cannot keep up. */
  pressed: boolean
  /** What the target has said since the recorder was last asked. */
  unaskedBytes: number
  deaf: boolean
  closed: boolean
  /** What comes of it is heard, and not kept. */
  clientFlows: boolean
  targetFlows: boolean
  boundary: (() => void) | undefined
}

export function startRelay(config: RelayConfig): Relay {
  const { client, target, listen: listenToTarget, dialogue, recorder, budget, readsRows } = config
  const { onEnd, onTerminate, onQuestion } = config
  const ease = (): void => goOn(state)
  // Named one by one: what is spread and added to gets a shape of its own each time, and V8 finds its fields by searching.
  const state: State = {
    client,
    target,
    listen: listenToTarget,
    dialogue,
    recorder,
    budget,
    readsRows,
    onEnd,
    onTerminate,
    onQuestion,
    fromClient: createFramer(clientRules, budget),
    fromServer: createFramer(readsRows ? readServerRules : serverRules, budget),
    toTarget: createOutlet(target, ease),
    toClient: createOutlet(client, ease),
    held: undefined,
    asking: false,
    passesParts: true,
    passesTargetParts: true,
    pressed: false,
    unaskedBytes: 0,
    deaf: false,
    closed: false,
    clientFlows: true,
    targetFlows: true,
    boundary: undefined,
  }
  listen(state)
  return {
    tell: (message) => atBoundary(state, () => void client.write(message)),
    settle: (verdict) => settle(state, verdict),
    saysGoodbye: () => !state.asking && !state.deaf && isGoodbye(state.fromClient.ahead()),
    deafen() {
      state.deaf = true
      state.held = undefined
      // Read and thrown away: closing over unread bytes would take what we say with it.
      flowClient(state, true)
    },
    atBoundary: (callback) => atBoundary(state, callback),
    close: () => close(state),
  }
}

function listen(state: State): void {
  const { client, target } = state
  const fromTarget = new TargetListener(state)
  state.listen(fromTarget)
  const fromClient = new ClientListener(state)
  const reads = createReads(() => client, limits.clientReadSizeBytes)
  if (readAccepted(client, reads.onread)) reads.listen(fromClient)
  client.on('data', (chunk) => fromClient.hear(chunk)).resume()
  target.on('data', (chunk) => fromTarget.hear(chunk)).resume()
}

class TargetListener implements Listener {
  private readonly state: State

  constructor(state: State) {
    this.state = state
  }

  hear(chunk: Buffer): void {
    orEnd(this.state, hearTarget, chunk)
  }

  needsThem(): boolean {
    const { toClient, fromServer } = this.state
    return toClient.isHolding() || fromServer.borrows()
  }

  isIdle(): boolean {
    return !this.state.dialogue.isBusy()
  }
}

class ClientListener implements Listener {
  private readonly state: State

  constructor(state: State) {
    this.state = state
  }

  hear(chunk: Buffer): void {
    orEnd(this.state, hearClient, chunk)
  }

  needsThem(): boolean {
    const { toTarget, fromClient } = this.state
    return isHolding(this.state) || toTarget.isHolding() || fromClient.borrows()
  }

  isIdle(sizeBytes: number): boolean {
    return sizeBytes < limits.clientReadSizeBytes
  }
}

/** The client's message that the framer is at is still to be dealt with. */
const isHolding = ({ held, asking }: State): boolean => held !== undefined || asking

/** A fault of ours is the end of its session, and of no other. */
function orEnd(state: State, work: (state: State, chunk: Buffer) => void, chunk = nothing): void {
  try {
    work(state, chunk)
  } catch {
    state.onEnd({ severity: 'FATAL', sqlstate: 'XX000', message: 'the gateway failed in this session' })
  }
}

function hearClient(state: State, chunk: Buffer): void {
  if (state.deaf) return
  state.dialogue.moveOn()
  state.fromClient.push(chunk)
  if (state.held === undefined && mayTake(state)) pumpClient(state)
  balance(state)
}

/** What comes of the client can be dealt with, and has somewhere to go. */
const mayTake = ({ asking, pressed, toTarget }: State): boolean => !asking && !pressed && !toTarget.isFull()

/** Something that kept the client's messages back is over. */
function goOn(state: State): void {
  orEnd(state, carryOn)
}

function carryOn(state: State): void {
  state.dialogue.moveOn()
  const isWaiting = state.held !== undefined || state.fromClient.aheadBytes() > 0
  if (!state.deaf && isWaiting && mayTake(state)) pumpClient(state)
  balance(state)
}

const goodbye = terminate()
const isGoodbye = (bytes: Buffer): boolean => bytes.subarray(-goodbye.length).equals(goodbye)

function hearTarget(state: State, chunk: Buffer): void {
  if (state.closed) return
  state.dialogue.moveOn()
  state.unaskedBytes += chunk.length
  state.fromServer.push(chunk)
  pumpServer(state)
  state.dialogue.pause()
  if (state.held !== undefined && !state.deaf) pumpClient(state)
  balance(state)
}

function pumpClient(state: State): void {
  const { fromClient, toTarget, dialogue } = state
  let piece = state.held ?? fromClient.next()
  state.held = undefined
  for (; piece !== 'none' && !state.deaf; piece = fromClient.next()) {
    if (piece === 'violation') {
      obey(state, clientViolation(fromClient.violation), 'client')
      return
    }
    if (piece === 'part' && !fromClient.opens) {
      if (state.passesParts) toTarget.pass(fromClient.buffer, fromClient.start, fromClient.end)
      continue
    }
    const verdict = dialogue.fromClient(fromClient)
    if (verdict.do === 'wait') state.held = piece
    state.passesParts = verdict.do === 'forward'
    if (obey(state, verdict, 'client') === 'stop') break
  }
  toTarget.flush()
  feelPressure(state)
}

function pumpServer(state: State): void {
  const { fromServer, toClient, dialogue } = state
  for (let piece = fromServer.next(); piece !== 'none' && !state.closed; piece = fromServer.next()) {
    if (piece === 'violation') {
      obey(state, targetViolation(fromServer.violation), 'target')
      return
    }
    if (piece === 'part' && !fromServer.opens) {
      if (state.passesTargetParts) toClient.pass(fromServer.buffer, fromServer.start, fromServer.end)
    } else {
      const verdict = dialogue.fromServer(fromServer)
      state.passesTargetParts = verdict.do === 'forward'
      if (obey(state, verdict, 'target') === 'stop') return
    }
    if (state.boundary !== undefined && !isClientInside(state)) {
      toClient.flush()
      reachBoundary(state)
    }
  }
  toClient.flush()
  // Statements are held back before; what comes of one, as thousands of results or a long error, has no bound.
  if (state.recorder.keepsRows || state.unaskedBytes >= limits.unaskedSizeBytes) feelPressure(state)
}

/** Does with the message that one side's framer is at what the dialogue said. */
function obey(state: State, verdict: Verdict, side: 'client' | 'target'): Step {
  const framer = side === 'client' ? state.fromClient : state.fromServer
  const outlet = side === 'client' ? state.toTarget : state.toClient
  switch (verdict.do) {
    case 'forward':
      outlet.pass(framer.buffer, framer.start, framer.end)
      return 'go-on'
    case 'drop':
      return 'go-on'
    case 'replace':
      outlet.say(verdict.bytes)
      return 'go-on'
    case 'wait':
      return 'stop'
    case 'ask':
      // Nobody is there who could be told.
      if (state.client.readableEnded || state.client.destroyed)
        return obey(state, verdict.question.settle('given-up'), side)
      state.asking = true
      state.onQuestion(verdict.question)
      return 'stop'
    case 'terminate':
      state.deaf = true
      outlet.pass(framer.buffer, framer.start, framer.end)
      state.onTerminate()
      return 'stop'
    case 'end':
      outlet.flush()
      state.onEnd(verdict.report)
      return 'stop'
  }
}

function settle(state: State, verdict: Verdict): void {
  if (!state.asking) return
  state.asking = false
  if (state.deaf) return
  if (obey(state, verdict, 'client') === 'go-on') pumpClient(state)
  balance(state)
}

/** Whoever's bytes have nowhere to go is not listened to. */
function balance(state: State): void {
  if (state.closed) return
  // A socket that is not read from does not say that the other side has gone.
  if (!state.deaf) flowClient(state, state.fromClient.aheadBytes() < limits.aheadSizeBytes)
  const opens = !state.pressed && !state.toClient.isFull()
  if (opens === state.targetFlows) return
  state.targetFlows = opens
  flow(state.target, opens)
}

function flowClient(state: State, opens: boolean): void {
  if (opens === state.clientFlows) return
  state.clientFlows = opens
  flow(state.client, opens)
}

function flow(socket: Socket, opens: boolean): void {
  if (opens) socket.resume()
  // That of a socket itself would stop reading, and with it noticing that the other side is gone.
  else Readable.prototype.pause.call(socket)
}

function feelPressure(state: State): void {
  state.unaskedBytes = 0
  const relief = state.pressed ? undefined : state.recorder.pressure()
  if (relief === undefined) return
  state.pressed = true
  const ease = (): void => {
    state.pressed = false
    goOn(state)
  }
  relief.then(ease, ease)
}

function atBoundary(state: State, callback: () => void): void {
  const before = state.boundary
  state.boundary = () => {
    before?.()
    callback()
  }
  if (!isClientInside(state)) reachBoundary(state)
}

/** It has got the beginning of a message, and not the end. */
const isClientInside = ({ fromServer, passesTargetParts }: State): boolean => passesTargetParts && fromServer.isInside()

function reachBoundary(state: State): void {
  const callback = state.boundary
  state.boundary = undefined
  callback?.()
}

function close(state: State): void {
  if (state.closed) return
  state.closed = true
  state.deaf = true
  state.boundary = undefined
  state.fromClient.close()
  state.fromServer.close()
  for (const socket of [state.client, state.target]) flow(socket, true)
}
