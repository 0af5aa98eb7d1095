import type { RunHistory } from '../histories/history.ts'
import type { Verdict, Violation } from './verdict.ts'

/** G10: no secret and no personal value in anything that a process wrote. */
export function checkG10({ about, output }: RunHistory): Verdict {
  const violations: Violation[] = []
  for (const { process, text } of output)
    for (const secret of about.secrets)
      if (text.includes(secret))
        violations.push({
          guarantee: 'G10',
          entity: '',
          key: '',
          what: `${process} wrote a secret or a personal value: ${text.replaceAll(secret, '‹it›').slice(0, 500)}`,
          story: [],
        })
  return { guarantee: 'G10', compared: about.secrets.length === 0 ? 0 : output.length, violations }
}
