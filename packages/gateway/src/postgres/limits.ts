/** What is bounded on the way between a client and a target, and by how much. */

const kib = 1024
const mib = 1024 * kib

export const postgresLimits = {
  /** PostgreSQL's own bound for what comes before the first message. */
  startupSizeBytes: 10_000,
  /** A message of a login: SASL needs some hundred bytes, an ErrorResponse of a target perhaps a few thousand. */
  loginMessageSizeBytes: 64 * kib,
  cancelKeySizeBytes: 256,
  /** What is gathered of unfinished messages, over all sessions. Beyond it, the session that asks for more ends. */
  gatheredSizeBytes: 256 * mib,
  /** Sent and not answered yet. Beyond it, the client waits. */
  outstanding: 4_096,
  /** What a client says while nothing of it can be dealt with is taken up to here, so that its leaving is noticed. */
  aheadSizeBytes: 64 * kib,
  /** Prepared statements and portals of one session, each. */
  names: 10_000,
  /** The texts of a session's prepared statements, together. */
  namedTextSizeBytes: 32 * mib,
  /** An iteration of SCRAM costs us time, and the count is the target's to say. */
  scramIterations: 1_000_000,
  /** Logins at targets whose keys are remembered, in each of two generations. */
  rememberedKeys: 512,
  /** How long a connection to a target that was opened ahead waits for the proof of its client. */
  aheadMs: 2_000,
  /** How long a proof is good for one connection that is opened ahead. */
  creditMs: 60_000,
  /** Such proofs of one login from one address, and the logins and addresses that they are remembered of. */
  creditsEach: 16,
  creditOwners: 1_000,
  /** How long a client may take to read why it is sent away, and a target to let go. */
  farewellMs: 1_000,
  /** A message that is half sent when the session ends may be finished for so long, so that the reason can follow. */
  unfinishedMs: 250,
  /** Between two notices to a client that waits for an approver. */
  approvalNoticeMs: 15_000,
  cancelMs: 5_000,
  /** Connections to one target that cancel what ended sessions left behind there. A client's own does not wait for them. */
  cancelsAtOnce: 1,
  /** One that takes so long no longer keeps the next waiting. */
  cancelSlowMs: 25,
  /** Targets that are let go of before others have their turn. */
  departuresAtOnce: 8,
  /** Where there are more, their clients hear of it first: for so long no target is let go of. */
  departuresAfterMs: 20,
  /** Read from a target at once: at first and while nothing is under way, and at most. */
  readSizeBytes: 4 * kib,
  /** The same from a client, whose messages are short. */
  clientReadSizeBytes: kib,
  readMostBytes: 256 * kib,
  /** What a target says before the recorder is asked whether it keeps up, where it keeps no rows. */
  unaskedSizeBytes: 64 * kib,
  /** A row that is masked or recorded is held as a whole; one that is longer ends the session. */
  readRowSizeBytes: 64 * mib,
  /** What a target reports of itself as a session begins. */
  loginParameters: 200,
} as const

/**
 * `gather`: withheld until it is there as a whole, because it is read. `stream`: passed on as it comes, of any size that
 * the protocol can say.
 */
export type MessageRule = { readonly name: string; readonly way: 'gather' | 'stream'; readonly longest: number }

const gather = (name: string, longest: number): MessageRule => ({ name, way: 'gather', longest })
const stream = (name: string): MessageRule => ({ name, way: 'stream', longest: 0x7fff_ffff })
/** The length that a message without a body has: that of its length field. */
const empty = (name: string): MessageRule => gather(name, 4)

export type MessageTable = Readonly<Record<string, MessageRule>>

/** What a client may say once it is logged in. What is not here ends the session. */
export const clientMessages: MessageTable = {
  Q: gather('Query', 16 * mib),
  P: gather('Parse', 16 * mib),
  B: gather('Bind', 64 * mib),
  E: gather('Execute', 64 * kib),
  D: gather('Describe', 64 * kib),
  C: gather('Close', 64 * kib),
  F: gather('FunctionCall', 64 * mib),
  S: empty('Sync'),
  H: empty('Flush'),
  X: empty('Terminate'),
  d: stream('CopyData'),
  c: empty('CopyDone'),
  f: gather('CopyFail', 64 * kib),
}

/** What a target may say once we are logged in. */
export const serverMessages: MessageTable = {
  D: stream('DataRow'),
  d: stream('CopyData'),
  T: stream('RowDescription'),
  t: stream('ParameterDescription'),
  V: stream('FunctionCallResponse'),
  A: stream('NotificationResponse'),
  '1': empty('ParseComplete'),
  '2': empty('BindComplete'),
  '3': empty('CloseComplete'),
  n: empty('NoData'),
  s: empty('PortalSuspended'),
  I: empty('EmptyQueryResponse'),
  c: empty('CopyDone'),
  C: gather('CommandComplete', 64 * kib),
  Z: gather('ReadyForQuery', 5),
  E: gather('ErrorResponse', 16 * mib),
  N: gather('NoticeResponse', 16 * mib),
  S: gather('ParameterStatus', mib),
  G: gather('CopyInResponse', 64 * kib),
  H: gather('CopyOutResponse', 64 * kib),
  W: gather('CopyBothResponse', 64 * kib),
}

/** The same where results are masked or recorded: what has to be read is withheld until it is there. */
export const readServerMessages: MessageTable = {
  ...serverMessages,
  D: gather('DataRow', postgresLimits.readRowSizeBytes),
  d: gather('CopyData', postgresLimits.readRowSizeBytes),
  T: gather('RowDescription', mib),
}
