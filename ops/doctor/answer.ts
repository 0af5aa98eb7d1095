import { within } from '../../connectors/within.ts'
import { type ErrorCode, TributaryError } from '../../schemas/errors.ts'
import { Questions } from '../cli/questions.ts'
import type { CheckName } from './checks.ts'
import { type Finding, failed, unasked, unknown } from './finding.ts'

/** What a question to a server came to. */
export type Answer<T> =
  | { readonly value: T; readonly error?: undefined }
  | { readonly error: TributaryError; readonly value?: undefined }

/** A question without an answer is given up after this. What it still does ends with the process. */
export const ANSWER_MS_MAX = 15_000

/**
 * @param late the code of a server that says nothing in time
 * @throws what is a defect
 */
export async function ask<T>(
  late: ErrorCode,
  what: string,
  question: Promise<T>,
  answerMsMax = ANSWER_MS_MAX,
): Promise<Answer<T>> {
  const questions = new Questions()
  const seconds = Math.ceil(answerMsMax / 1000)
  const tooLate = new TributaryError(late, `${what} gave no answer within ${seconds} s.`)
  const timer = Promise.withResolvers<never>()
  const timeout = setTimeout(() => timer.reject(tooLate), answerMsMax)
  try {
    const answer = await questions.ask(Promise.race([question.then((value) => ({ value })), timer.promise]))
    return answer ?? { error: questions.failures[0]! }
  } finally {
    clearTimeout(timeout)
  }
}

/**
 * What is decided from an answer. Where there is none: that it is not known, or, when the server refused for good, that it fails. Of a topic that
 * is missing its own check tells.
 */
export function decided<T>(
  name: CheckName,
  subject: string,
  answer: Answer<T>,
  decide: (value: T) => readonly Finding[],
): readonly Finding[] {
  if (!answer.error) return decide(answer.value)
  if (answer.error.code === 'topic-missing') return [unasked(name, subject, 'a topic is missing')]
  return [(answer.error.fate === 'stop' ? failed : unknown)(name, subject, answer.error)]
}

const CLOSE_MS_MAX = 2_000

/** Closes what is not used again. Whatever it says, and however long it takes, nobody waits for it. */
export async function letGo(closing: Promise<unknown> | undefined): Promise<void> {
  if (closing !== undefined) await within(CLOSE_MS_MAX, closing).catch(() => {})
}
