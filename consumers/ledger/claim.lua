-- Makes a token the owner of a scope (one subscriber, entity and partition).
-- KEYS[1]  the scope's owner record
-- ARGV[1]  token, 16 characters
-- Returns  'ok'
-- Atomic: the former owner's gate and settle are refused from here on.
--
-- The owner record is token (16) and birth (14 digits, ms): when the ledger of this scope began. A ledger that was flushed is born again,
-- so the gate knows that a request of before may still be on its way.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local owner = redis.call('GET', KEYS[1])
local born = owner and string.sub(owner, 17, 30) or string.format('%014.0f', now)
redis.call('SET', KEYS[1], ARGV[1] .. born)
return 'ok'
