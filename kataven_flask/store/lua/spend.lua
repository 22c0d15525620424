-- Spend a visitor token; the rule is `decide_spending` in base.py.
-- KEYS: spent, since, revoked key, revoked user
-- ARGV: deadline (ms, by Redis' clock), caller, lifetime (s), minted (s)
local spent_by, since, key_ms, user_ms = unpack(redis.call('MGET', unpack(KEYS)))
local deadline, caller = tonumber(ARGV[1]), ARGV[2]
local lifetime, minted = ARGV[3], tonumber(ARGV[4])

local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)

local function decide()
  if clock > deadline then
    return 'LATE' -- whoever asked has been told that it failed
  elseif not since then
    return 'BEGIN'
  elseif spent_by then
    -- A caller that lost the answer asks again, and gets the same one.
    return spent_by == caller and 'SPENT' or 'USED'
  elseif minted * 1000 < tonumber(since) then
    return 'UNKNOWN'
  elseif minted < math.floor(math.max(tonumber(key_ms or 0), tonumber(user_ms or 0)) / 1000) then
    return 'REVOKED'
  end
  redis.call('SET', KEYS[1], caller, 'EX', lifetime)
  return 'SPENT'
end

return {decide(), string.format('%.0f', clock)}
