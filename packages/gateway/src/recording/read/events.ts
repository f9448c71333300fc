/** Turns the content of blocks, one after the other, back into events. */

import { malformed, takeNumber } from '../format/bytes.ts'
import type { Source } from '../format/bytes.ts'
import { takeEvent } from '../format/event-codec.ts'
import type { BlockTexts } from '../format/event-codec.ts'
import type { RecordedEvent } from '../write/watch.ts'

/** An event of more bytes than the reader takes. It is there, under the chain; raise the limit to see it. */
export type TooLong = { readonly type: 'too-long'; readonly sequence: number; readonly bytes: number }

export type EventReader = {
  /** The events that end in this block. Throws what `malformed` makes. */
  readonly read: (content: Buffer, salts: readonly Uint8Array[]) => (RecordedEvent | TooLong)[]
  /** How many there were. */
  readonly commitments: () => number
}

/** An event that goes on in the next block. */
type Long = { readonly words: BlockTexts; readonly bytes: number; has: number; readonly parts: Buffer[] }

export function createEventReader(eventBytes: number): EventReader {
  let sequence = 1
  let long: Long | undefined
  let commitments = 0

  const begin = (at: number, salts: readonly Uint8Array[]): BlockTexts => {
    let next = 0
    const salt = (): Uint8Array | undefined => {
      commitments += 1
      return salts[next++]
    }
    return { at, texts: [], salt }
  }

  const decode = (event: Buffer, words: BlockTexts): RecordedEvent => {
    const source: Source = { buffer: event, offset: 0, end: event.length }
    return { ...takeEvent(source, words), sequence: sequence++ }
  }

  const goOn = (unfinished: Long, part: Buffer): (RecordedEvent | TooLong)[] => {
    unfinished.has += part.length
    if (unfinished.has > unfinished.bytes) throw malformed('something follows a long event in its block')
    if (unfinished.bytes <= eventBytes) unfinished.parts.push(part)
    if (unfinished.has < unfinished.bytes) return []
    long = undefined
    if (unfinished.bytes > eventBytes) return [{ type: 'too-long', sequence: sequence++, bytes: unfinished.bytes }]
    return [decode(Buffer.concat(unfinished.parts), unfinished.words)]
  }

  return {
    read(content, salts) {
      if (long !== undefined) return goOn(long, content)
      const source: Source = { buffer: content, offset: 0, end: content.length }
      if (takeNumber(source) !== sequence) throw malformed('a block does not begin with the event that is next')
      const words = begin(takeNumber(source), salts)
      const events: (RecordedEvent | TooLong)[] = []
      while (source.offset < source.end) {
        const bytes = takeNumber(source)
        const part = content.subarray(source.offset, source.offset + bytes)
        if (part.length < bytes || bytes > eventBytes) {
          if (events.length > 0) throw malformed('a long event is not in a block of its own')
          long = { words, bytes, has: 0, parts: [] }
          return goOn(long, content.subarray(source.offset))
        }
        events.push(decode(part, words))
        source.offset += bytes
      }
      return events
    },
    commitments: () => commitments,
  }
}
