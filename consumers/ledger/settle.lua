-- Records for a batch of keys what became of their requests, and clears their marks.
-- KEYS[1]    the scope's owner record (see claim.lua)
-- KEYS[2]    the scope's progress, for `status`: time of this settle (14 digits, ms), then ARGV[5]
-- KEYS[3]    the scope's failing keys (their form: gate.lua)
-- KEYS[i+3]  the entry of the i-th key (its form: gate.lua)
-- ARGV[1]    token of the owner, 16 characters
-- ARGV[2]    run id of this Redis process, 8 characters
-- ARGV[3]    '1' when the destination compares versions, else '0'
-- ARGV[4]    how long the entry of a deleted key is kept, ms
-- ARGV[5]    commit time of the newest change in it, microseconds, for `status`; '' for none
-- ARGV[5i+1] the i-th key, as the hash has it
-- ARGV[5i+2] its version, 40 hexadecimal digits
-- ARGV[5i+3] result: 'a' took effect · 'n' the destination has a newer one · 'r' given up as a dead letter · 'f' failed, and is tried again
-- ARGV[5i+4] '1' when the patch was full, else '0'; then the state it leads to, 'l' or 'd'; then '1' when no lost request could take effect
--            any more once the gate had let it through, else '0'
-- ARGV[5i+5] what was applied; for 'f' attempts (2) and first failure (14, ms)
-- Returns    {'fenced'} when the scope has another owner, or none; else {'ok', 'settled'|'again', …}
--            'again': the mark was lost with a former life of Redis, so that a patch of differences proves nothing: ask the gate again
-- Atomic: nothing is written for an owner that was replaced, and no older version over a newer one.
local NONE = '----------------'
local CERTAIN = '00000000000000'
local NEVER = string.rep('0', 40)
local UNKNOWN = string.rep('f', 40)
local NO_FAILURES = string.rep('0', 16)

local owner = redis.call('GET', KEYS[1])
if not owner or string.sub(owner, 1, 16) ~= ARGV[1] then return {'fenced'} end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local token, run, compares, keep = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4]

-- By numbers of 40 bits: Lua's string order follows the locale, and its numbers are doubles.
local function compare(a, b)
  for at = 1, 40, 10 do
    local x, y = tonumber(string.sub(a, at, at + 9), 16), tonumber(string.sub(b, at, at + 9), 16)
    if x ~= y then return x - y end
  end
  return 0
end

local answers = {'ok'}
for i = 1, #KEYS - 3 do
  local name, done, result = ARGV[5 * i + 1], ARGV[5 * i + 2], ARGV[5 * i + 3]
  local how, prints = ARGV[5 * i + 4], ARGV[5 * i + 5]
  local full, becomes, alone = string.sub(how, 1, 1) == '1', string.sub(how, 2, 2), string.sub(how, 3, 3) == '1'
  local key = KEYS[i + 3]
  local entry = redis.call('GET', key) or (NEVER .. 'n' .. '--------' .. NONE .. CERTAIN .. '0')
  local version, state, wrote = string.sub(entry, 1, 40), string.sub(entry, 41, 41), string.sub(entry, 42, 49)
  local holder, till, dead = string.sub(entry, 50, 65), string.sub(entry, 66, 79), string.sub(entry, 80, 80)
  local newest, kept = version, string.sub(entry, 81)
  if holder ~= NONE or till ~= CERTAIN then newest, kept = string.sub(entry, 81, 120), string.sub(entry, 121) end

  local letter = NEVER
  if dead ~= '0' then letter = string.sub(redis.call('HGET', KEYS[3], name) or NEVER, 1, 40) end

  if result == 'f' then
    -- The mark stays: what became of the request may not be known.
    redis.call('HSET', KEYS[3], name, letter .. prints)
    if dead == '0' and string.len(entry) >= 80 then
      redis.call('SET', key, string.sub(entry, 1, 79) .. 'f' .. string.sub(entry, 81))
    end
    answers[i + 1] = 'settled'
  elseif result == 'a' and compare(version, done) <= 0 then
    if not full and (wrote ~= run or state == 'n') then
      answers[i + 1] = 'again'
    else
      -- A destination that compares would still let in a lost request of a newer version, however late, and of no older one.
      local ends = alone
      if compares and newest ~= UNKNOWN then ends = compare(done, newest) >= 0 end
      if full and ends then till = CERTAIN end
      -- A dead letter of a newer version is not ended by an older one that succeeds.
      if dead ~= '0' then
        if compare(letter, done) > 0 then
          dead = '1'
          redis.call('HSET', KEYS[3], name, letter .. NO_FAILURES)
        else
          dead = '0'
          redis.call('HDEL', KEYS[3], name)
        end
      end
      local value = done .. becomes .. run .. NONE .. till .. dead .. (till == CERTAIN and '' or newest) .. prints
      if becomes == 'd' then redis.call('SET', key, value, 'PX', keep) else redis.call('SET', key, value) end
      answers[i + 1] = 'settled'
    end
  else
    if result == 'n' then
      wrote = run
      if dead ~= '0' and compare(letter, done) <= 0 then
        dead = '0'
        redis.call('HDEL', KEYS[3], name)
      end
      if till == CERTAIN then till = string.format('%014.0f', now) end
    elseif result == 'r' then
      -- An entry that was lost meanwhile stays of no run, so that the next gate takes the key as uncertain.
      dead = '1'
      redis.call('HSET', KEYS[3], name, (compare(letter, done) > 0 and letter or done) .. NO_FAILURES)
    end
    local value = version .. state .. wrote .. NONE .. till .. dead .. (till == CERTAIN and '' or newest) .. kept
    -- With a letter it stays, also of a deleted key: the hash would outlive it.
    if dead == '0' then redis.call('SET', key, value, 'KEEPTTL') else redis.call('SET', key, value) end
    answers[i + 1] = 'settled'
  end
end
if ARGV[5] ~= '' then
  redis.call('SET', KEYS[2], string.format('%014.0f', now) .. ARGV[5])
end
return answers
