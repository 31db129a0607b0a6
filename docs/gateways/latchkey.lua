-- /etc/haproxy/latchkey.lua
-- Verifies each request with Latchkey. Its address is set by setenv; requires HAProxy 2.6 or later.

local latchkey = os.getenv("LATCHKEY")
local identity = { "x-tenant-id", "x-tenant-slug", "x-api-key-id", "x-api-key-name", "x-permissions" }

-- The values of a header, counted from 1.
local function values(headers, name)
    local found = {}
    for _, value in pairs(headers[name] or {}) do
        found[#found + 1] = value
    end
    return found
end

local function refuse(txn, status, response)
    local reply = txn:reply()
    reply:set_status(status)
    for _, name in ipairs({ "content-type", "www-authenticate", "retry-after", "x-request-id" }) do
        local value = response and values(response.headers, name)[1]
        if value then
            reply:add_header(name, value)
        end
    end
    reply:add_header("cache-control", "no-store")
    reply:set_body(response and response.body or "")
    txn:done(reply)
end

core.register_action("latchkey", { "http-req" }, function(txn, permission, tenant)
    local headers = { ["x-forwarded-for"] = { txn.sf:src() } }
    -- Forwards all values: Latchkey refuses two of them.
    local presented = values(txn.http:req_get_headers(), "x-api-key")
    if #presented > 0 then
        headers["x-api-key"] = presented
    end
    local response = core.httpclient():get({
        url = latchkey .. "/api/v1/forward-auth/for/" .. tenant .. "/" .. permission .. "/",
        headers = headers,
        timeout = 5000,
    })
    local status = response and response.status
    if status == 200 then
        for _, name in ipairs(identity) do
            txn.http:req_set_header(name, values(response.headers, name)[1] or "")
        end
        txn:set_var("txn.latchkey_admits", true)
    elseif status == 401 or status == 403 then
        refuse(txn, status, response)
    else
        refuse(txn, 503)
    end
end, 2)
