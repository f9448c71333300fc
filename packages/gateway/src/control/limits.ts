/** The bounds of what a gateway and the control plane have to do with one another, on the gateway's side. */

const mib = 1024 * 1024

export const controlLimits = {
  /** Unless the settings say otherwise: what was heard longer ago lets nobody in. */
  openWithoutServerMs: 10_000,
  /** Whoever comes with a grant or a password that was not told of yet waits so long for word of it. */
  askMs: 2_000,
  /** Between two questions about grants by name. */
  askEveryMs: 100,
  /** For an answer, beyond what was asked to be waited. */
  answerMs: 10_000,
  firstRetryMs: 100,
  slowestRetryMs: 2_000,
  /** A sync that waits says little about the server's clock; so often, one that does not wait is made for it. */
  clockEveryMs: 60_000,
  /** Clocks of one machine and another run apart by no more than this, as parts of one. */
  clockDrift: 2e-4,
  /** The server's clock is taken to be ahead by this much more than before: what waits for a time waits anew. */
  clockNoticeMs: 20,
  /** Sign in again when this part of a token's time is left. */
  renewAt: 1 / 3,
  /** Not delivered yet. Beyond it nobody is let in; whoever is in adds two more at most. */
  reports: 20_000,
  /** Of one call, well below what a server takes. */
  reportsBytes: mib,
  /** How long a gateway that stops goes on trying to say what became of its sessions. */
  farewellMs: 5_000,
  /** How long it waits for a server to take that it goes, before it does. */
  signOffMs: 1_000,
  /** A worker that stops takes no longer, or is ended. */
  workerStopMs: 60_000,
  /** Connections on their way to one. Beyond it, or where one has been for so long, they go to another. */
  workerHanded: 64,
  workerStuckMs: 1_000,
  /** One that ended after so long begins anew with how often it failed. */
  workerSettledMs: 60_000,
  /** Between two reports of what one rule refuses in a session. */
  refusedEveryMs: 60_000,
  /** As the contract has it. */
  reasonLength: 500,
  applicationLength: 64,
  ruleLength: 100,
  usedTableLength: 300,
  usedKinds: 100,
  verdictLength: 1_000,
  /** A recording that could not be deleted is tried again so much later. */
  forgetAgainMs: 60_000,
  /** How often a recording that someone follows is looked at for more. */
  viewLookEveryMs: 250,
  /** How long a piece waits at the server for room. */
  viewRoomMs: 10_000,
  /** For whoever looks, a piece is sent again so often; then they are told nothing more. */
  viewRetries: 8,
} as const
