import type { SandboxAnswer } from '../../http/sandbox-server.ts'

export function json(status: number, body: unknown): SandboxAnswer {
  return { status, headers: { 'content-type': 'application/json;charset=UTF-8' }, body: JSON.stringify(body) }
}
