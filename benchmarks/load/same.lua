-- One request, again and again. Arguments: the method and, if there is one, the body.
require("report")

function init(args)
  wrk.method = args[1]
  wrk.body = args[2]
end
