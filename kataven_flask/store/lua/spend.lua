-- Spend a visitor token; the rule is `decide_spending` in base.py.
-- KEYS: spent, since, revoked key, revoked user
-- ARGV: minted (s), lifetime (s), caller
local spent_by, since, key_ms, user_ms = unpack(redis.call('MGET', unpack(KEYS)))
local minted, lifetime, caller = tonumber(ARGV[1]), ARGV[2], ARGV[3]

if not since then
  return 'BEGIN'
elseif spent_by then
  -- A caller that lost the answer asks again, and gets the same one.
  return spent_by == caller and 'SPENT' or 'USED'
elseif minted < tonumber(since) then
  return 'UNKNOWN'
end

local revoked_ms = math.max(tonumber(key_ms or 0), tonumber(user_ms or 0))
if minted < math.floor(revoked_ms / 1000) then
  return 'REVOKED'
end
redis.call('SET', KEYS[1], caller, 'EX', lifetime)
return 'SPENT'
