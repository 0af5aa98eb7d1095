import type { Entity } from '../../../schemas/entity.ts'
import { parseKey } from '../../../schemas/key.ts'
import { MASK } from '../../demo/view/value-text.ts'

/** How keys are shown: personal parts masked, unless they were asked for. Of what is not declared nothing is known, so it is masked. */
export function keyShower(entities: ReadonlyMap<string, Entity>, showPersonal: boolean) {
  return (entityName: string, key: string): { readonly text: string; readonly masked: boolean } => {
    if (showPersonal) return { text: key, masked: false }
    const entity = entities.get(entityName)
    if (entity === undefined) return { text: MASK, masked: true }
    const personal = entity.key.map((part) => entity.fields.some(({ name, personal }) => personal && name === part))
    if (!personal.includes(true)) return { text: key, masked: false }
    const parts = parseKey(key, personal.length)
    if (personal.length === 1 || parts === undefined) return { text: MASK, masked: true }
    return { text: JSON.stringify(parts.map((part, at) => (personal[at] ? MASK : part))), masked: true }
  }
}

export type KeyShower = ReturnType<typeof keyShower>
