/** `tidegate reviews close` */

import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'

export const reviewsClose = defineCommand({
  name: ['reviews', 'close'],
  summary: 'Say that a use of break-glass has been looked at',
  details: [
    'For reviewers, and never for a use of their own. What was done meanwhile: `tidegate audit tail`, and the recordings of its sessions.',
  ],
  arguments: { review: { value: text('REVIEW'), about: 'The id of the review.' } },
  options: { comment: { value: text('TEXT'), about: 'What was found.', required: true } },
  examples: [
    {
      line: 'tidegate reviews close rev_01j… --comment "Fits the incident, nothing else was touched"',
      about: 'Close one',
    },
  ],
  run: async (invocation, { review, comment }) => {
    const client = await connectToServer(invocation)
    const closed = await client.closeReview({ id: review, comment })
    invocation.out.result(closed, () => [`Closed: ${closed.id} (${closed.principal}, ${closed.role}).`])
    return 'ok'
  },
})
