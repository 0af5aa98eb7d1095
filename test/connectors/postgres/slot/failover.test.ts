import { expect, it } from 'vitest'
import { type FailoverFacts, failoverNotice } from '../../../../connectors/postgres/slot/failover.ts'

const plain: FailoverFacts = { slot: 's', canFailOver: true, failover: false, active: false, standbys: 0 }

it('says how to make a slot a failover slot, where the server has them, and louder where there are standbys', () => {
  expect(failoverNotice({ ...plain, failover: true })).toBeUndefined()
  expect(failoverNotice({ ...plain, canFailOver: false })).toBeUndefined()
  expect(failoverNotice(plain)).toMatchObject({
    level: 'info',
    message: expect.stringContaining('Run this over a replication connection'),
  })
  expect(failoverNotice({ ...plain, active: true, standbys: 1 })).toMatchObject({
    level: 'warn',
    message: expect.stringMatching(
      /standbys: a failover .* While capture is stopped, run .*ALTER_REPLICATION_SLOT s \( FAILOVER true \)$/,
    ),
  })
})
