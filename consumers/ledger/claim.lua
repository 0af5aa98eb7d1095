-- Makes a token the owner of a scope (one subscriber, entity and partition).
-- KEYS[1]  the scope's owner record
-- ARGV[1]  token, 16 characters
-- ARGV[2]  run id of this Redis process, 8 characters
-- Returns  'ok'
-- Atomic: the former owner's gate and settle are refused from here on.
--
-- The owner record is token (16), birth (14 digits, ms: when the ledger of this scope began) and run id (8). A ledger that was flushed is
-- born again, and so is one whose Redis was restarted: it may have lost entries. So the gate knows that a request of before may still be on
-- its way, even for a key that has no entry.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local owner = redis.call('GET', KEYS[1])
local same = owner and string.sub(owner, 31, 38) == ARGV[2]
local born = same and string.sub(owner, 17, 30) or string.format('%014.0f', now)
redis.call('SET', KEYS[1], ARGV[1] .. born .. ARGV[2])
return 'ok'
