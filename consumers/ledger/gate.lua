-- Asks for a batch of keys whether a version is still wanted, and marks those that are as in flight under this owner.
-- KEYS[1]    the scope's owner record (see claim.lua)
-- KEYS[2]    the scope's failing keys: a hash of key to version of its dead letter (40, zeros for none), attempts (2), first failure (14, ms)
-- KEYS[i+2]  the entry of the i-th key
-- ARGV[1]    token of the asking owner, 16 characters
-- ARGV[2]    run id of this Redis process, 8 characters: entries of another one may have lost their tail
-- ARGV[3]    late request time of the destination, ms
-- ARGV[3i+1] the i-th key, as the hash has it
-- ARGV[3i+2] its version, 40 hexadecimal digits
-- ARGV[3i+3] 'u' when the asker knows the key to be uncertain, else 'c'
-- Returns    {'fenced'} when the scope has another owner, or none, or was claimed in a former life of Redis;
--            else {'ok', answer 1, answer 2, …}, each
--            's' stale, as a newer version is applied, or 'e' as this one is; then, where a dead letter waits, what the hash has of it (56)
--            'g' go: then state ('n' none, 'l' live, 'd' deleted), 'u' or 'c', ms that a lost request can still take (14 digits),
--                '0' all well · 'f' it has failed · '1' a dead letter of it waits; then, unless '0', what the hash has of it (56);
--                what was applied
-- Atomic: reading an entry and marking it, so that two owners never both think they are alone with a key.
--
-- An entry: version (40) state (1) run id (8) token in flight (16, '-' for none) uncertain until, ms (14 digits, 0 for certain)
--           well, failing or dead (1) newest version that was let through (40, only while in flight or uncertain) what was applied (the rest)
-- The newest version let through tells which full patch ends the uncertainty where the destination compares: an older one leaves the way
-- open for a lost request of a newer version. Where it is not known, because entries were lost, it is all ones: only time ends it, and only
-- before the full patch is sent, for what lands between that and its settling is not in what is then recorded.
local NONE = '----------------'
local CERTAIN = '00000000000000'
local NEVER = string.rep('0', 40)
local UNKNOWN = string.rep('f', 40)
local NOTHING = string.rep('0', 56)

local owner = redis.call('GET', KEYS[1])
if not owner or string.sub(owner, 1, 16) ~= ARGV[1] or string.sub(owner, 31, 38) ~= ARGV[2] then return {'fenced'} end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token, run, late = ARGV[1], ARGV[2], tonumber(ARGV[3])
local born = tonumber(string.sub(owner, 17, 30))

-- By numbers of 40 bits: Lua's string order follows the locale, and its numbers are doubles.
local function compare(a, b)
  for at = 1, 40, 10 do
    local x, y = tonumber(string.sub(a, at, at + 9), 16), tonumber(string.sub(b, at, at + 9), 16)
    if x ~= y then return x - y end
  end
  return 0
end

local answers = {'ok'}
for i = 1, #KEYS - 2 do
  local wanted, asked = ARGV[3 * i + 2], ARGV[3 * i + 3]
  local entry = redis.call('GET', KEYS[i + 2])
  local version, state, wrote, holder, till, dead, newest, prints
  local uncertain = asked == 'u'
  if entry then
    version, state, wrote = string.sub(entry, 1, 40), string.sub(entry, 41, 41), string.sub(entry, 42, 49)
    holder, till, dead = string.sub(entry, 50, 65), string.sub(entry, 66, 79), string.sub(entry, 80, 80)
    if holder == NONE and till == CERTAIN then
      newest, prints = version, string.sub(entry, 81)
    else
      newest, prints = string.sub(entry, 81, 120), string.sub(entry, 121)
    end
    if wrote ~= run then
      uncertain, newest = true, UNKNOWN
    elseif holder ~= NONE and holder ~= token then
      uncertain = true
    end
  else
    version, state, wrote, holder, till, dead, newest, prints = NEVER, 'n', run, NONE, CERTAIN, '0', NEVER, ''
    if now < born + late then
      uncertain, newest = true, UNKNOWN
    end
  end
  if uncertain then till = string.format('%014.0f', now + late) end

  local order = compare(wanted, version)
  if order < 0 or (order == 0 and till == CERTAIN) then
    if uncertain then
      redis.call('SET', KEYS[i + 2], version .. state .. run .. NONE .. till .. dead .. newest .. prints, 'KEEPTTL')
    end
    answers[i + 1] = (order == 0 and 'e' or 's') .. (dead == '1' and redis.call('HGET', KEYS[2], ARGV[3 * i + 1]) or '')
  else
    if till == CERTAIN or compare(wanted, newest) > 0 then newest = wanted end
    redis.call('SET', KEYS[i + 2], version .. state .. run .. token .. till .. dead .. newest .. prints, 'KEEPTTL')
    local left = till == CERTAIN and 0 or math.max(0, tonumber(till) - now)
    answers[i + 1] = 'g' .. state .. (till == CERTAIN and 'c' or 'u') .. string.format('%014.0f', left) .. dead
      .. (dead == '0' and '' or redis.call('HGET', KEYS[2], ARGV[3 * i + 1]) or NOTHING) .. prints
  end
end
return answers
