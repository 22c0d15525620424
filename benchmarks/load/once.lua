-- Each body of a file, one a line, once. Arguments: the file.
require("report")

local bodies = {}
local sent = 0

function init(args)
  for line in io.lines(args[1]) do
    bodies[#bodies + 1] = line
  end
end

function request()
  sent = sent + 1
  -- Where they run out, an empty body is refused, and with it the measurement.
  return wrk.format("POST", nil, nil, bodies[sent] or "")
end
