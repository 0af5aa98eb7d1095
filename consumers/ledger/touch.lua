-- Notes how far the deletes of a scope are known: whoever reads on within delete.retention.ms of it misses none.
-- KEYS[1]  the scope's owner record (see claim.lua)
-- KEYS[2]  the scope's note: a time (14 digits, ms)
-- ARGV[1]  token of the owner, 16 characters
-- ARGV[2]  how long ago that was, ms
-- Returns  'ok', or 'fenced' when the scope has another owner, or none
-- Atomic: an owner that was replaced may stand elsewhere in the topic than the one that reads now.
local owner = redis.call('GET', KEYS[1])
if not owner or string.sub(owner, 1, 16) ~= ARGV[1] then return 'fenced' end
local time = redis.call('TIME')
local at = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(ARGV[2])
local noted = redis.call('GET', KEYS[2])
if not noted or tonumber(noted) < at then redis.call('SET', KEYS[2], string.format('%014.0f', at)) end
return 'ok'
