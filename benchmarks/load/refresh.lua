-- Sessions renewed in turns, each by its newest refresh token. Arguments: a file with the first
-- ones, one a line; it needs more of them than there are connections.
require("report")

local tokens = {}
local first, last = 1, 0

local function push(token)
  last = last + 1
  tokens[last] = token
end

function init(args)
  for line in io.lines(args[1]) do
    push(line)
  end
end

function request()
  local token = tokens[first]
  if not token then
    return wrk.format("POST", nil, nil, "") -- refused, and with it the measurement
  end
  tokens[first] = nil
  first = first + 1
  return wrk.format("POST", nil, nil, '{"refresh_token":"' .. token .. '"}')
end

function response(status, _, body)
  if status == 200 then
    push(body:match('"refresh_token":"([^"]+)"'))
  end
end
