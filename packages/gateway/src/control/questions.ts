/**
 * Grants that someone is here for, and that the control plane may know more of than it has told: asked about by name,
 * in the question after the next. Many are asked about in one, and not more often than so, whoever knocks.
 */

import { gatewayLimits } from '@tidegate/api'
import { controlLimits as limits } from './limits.ts'

export type Questions = {
  /** Resolves when an answer that was given after this has been taken. @throws when none came in time */
  readonly ask: (grant: string) => Promise<void>
  /** Aborted when there is something to ask about: what waits for news has to make way. */
  readonly wait: () => AbortSignal
  /** What to ask about now. Those that get no answer are there again. */
  readonly take: () => Asking
  /** Nobody will answer any more: whoever asked and whoever asks goes by what is known. */
  readonly stop: () => void
}

export type Asking = { readonly about: readonly string[]; readonly answered: () => void }

type Question = { readonly grant: string; readonly answered: () => void }

export function createQuestions(elapsedMs: () => number): Questions {
  const asked = new Set<Question>()
  let askedAtMs = -Infinity
  let timer: NodeJS.Timeout | undefined
  let waiting = new AbortController()
  let isOver = false

  const isTime = (): boolean => elapsedMs() - askedAtMs >= limits.askEveryMs
  const interrupt = (): void => {
    timer = undefined
    if (asked.size > 0) waiting.abort()
  }
  const schedule = (): void => {
    if (isTime()) waiting.abort()
    else timer ??= setTimeout(interrupt, limits.askEveryMs)
  }

  return {
    ask: (grant) =>
      new Promise((resolve, reject) => {
        if (isOver) return resolve()
        const answered = (): void => {
          clearTimeout(late)
          asked.delete(question)
          resolve()
        }
        const late = setTimeout(() => {
          asked.delete(question)
          reject(new Error('the control plane did not say in time what it knows of a grant'))
        }, limits.askMs)
        const question: Question = { grant, answered }
        asked.add(question)
        schedule()
      }),
    wait() {
      waiting = new AbortController()
      if (asked.size > 0) schedule()
      return waiting.signal
    },
    take() {
      if (!isTime()) return { about: [], answered: () => undefined }
      const taken: Question[] = []
      const about = new Set<string>()
      for (const question of asked) {
        if (about.size === gatewayLimits.about && !about.has(question.grant)) continue
        about.add(question.grant)
        taken.push(question)
      }
      if (taken.length > 0) askedAtMs = elapsedMs()
      return { about: [...about], answered: () => taken.forEach(({ answered }) => answered()) }
    },
    stop() {
      isOver = true
      clearTimeout(timer)
      for (const { answered } of asked) answered()
    },
  }
}
