-- Another target in each request, the same fields: as browsers send.
local count = 0
request = function()
  count = count + 1
  return wrk.format("GET", "/app/items/" .. count .. "?page=" .. (count % 97))
end
