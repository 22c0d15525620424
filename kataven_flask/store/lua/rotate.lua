-- Rotate a session; the rule is `decide` in base.py.
-- KEYS: session, since, revoked key[, revoked user]
-- ARGV: deadline (ms, by Redis' clock), caller, lifetime (s),
--       generation, began (ms), now (ms), grace (ms), clock skew (ms)
local record, since, key_ms, user_ms = unpack(redis.call('MGET', unpack(KEYS)))
local deadline, caller, lifetime = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local presented, began, now = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local grace, skew = tonumber(ARGV[7]), tonumber(ARGV[8])

local generation, rotated, revoked, rotated_by = 0, 0, '0', ''
if record then
  generation, rotated, revoked, rotated_by = record:match('^(%d+) (%d+) ([01]) (.*)$')
  generation, rotated = tonumber(generation), tonumber(rotated)
end

local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)

local function keep(revoked)
  local value = string.format('%d %.0f %s %s', generation, rotated, revoked, rotated_by)
  local longest = math.max(lifetime, redis.call('TTL', KEYS[1]))
  redis.call('SET', KEYS[1], value, 'EX', string.format('%d', longest))
end

local function decide()
  if clock > deadline then
    return 'LATE' -- whoever asked has been told that it failed
  elseif not since then
    return 'BEGIN'
  elseif revoked == '1' or began < math.max(tonumber(key_ms or 0), tonumber(user_ms or 0)) then
    return 'REVOKED'
  elseif not record and (presented > 0 or began < tonumber(since)) then
    return 'UNKNOWN'
  elseif presented == generation then
    generation, rotated, rotated_by = generation + 1, now, caller
    keep('0')
    return 'ROTATED'
  end
  local elapsed = now - rotated
  if presented == generation - 1 then
    if rotated_by == caller then
      return 'ROTATED' -- a caller that lost the answer asks again, and gets the same one
    elseif elapsed < grace and elapsed < -skew then
      return 'UNTIMELY'
    elseif elapsed < grace and grace > 0 then
      return 'REPEATED'
    end
  end
  keep('1')
  return 'REUSED'
end

local outcome = decide()
return {outcome, string.format('%.0f', clock), generation, string.format('%.0f', rotated)}
