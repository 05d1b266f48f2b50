-- Shows NEXUS recordings in Wireshark and tshark: frames as media carried them, and what sealed ones say.
--
--     tshark -X lua_script:tools/wireshark/nexus.lua -r recording.pcap -O nexus
--     wireshark: copy or link this file into the folder of personal Lua plugins (Help, About, Folders)
--
-- Formats: spec/capture.md, spec/wire.md, spec/reticulum.md. What a node would refuse is shown as malformed, in the words in which the
-- node's own decoder refuses it; what stands before the fault is shown field by field.

local nexus = Proto("nexus", "NEXUS")
local fields, F = {}, {}

-- A field: its kind, name for filters (below "nexus."), name for people, and what its kind takes besides.
local function field(kind, abbreviation, name, ...)
    local made = ProtoField[kind]("nexus." .. abbreviation, name, ...)
    F[abbreviation] = made
    table.insert(fields, made)
end

local DIRECTIONS = { [0] = "received", [1] = "sent" }
local FRAME_KINDS = {
    [1] = "first", [2] = "reply", [3] = "finish", [4] = "sealed", [5] = "broadcast", [6] = "cookie", [7] = "beacon",
}
local MESSAGE_KINDS = {
    [0x01] = "PACKET", [0x02] = "ANNOUNCE", [0x03] = "FRAGMENT", [0x04] = "PING", [0x05] = "PONG", [0x06] = "COST",
    [0x07] = "REKEY", [0x08] = "REKEY_ACK", [0x09] = "BROADCAST_KEY", [0x0a] = "BROADCAST_KEY_ACK", [0x0b] = "ACK",
    [0x0c] = "COST_REQUEST", [0x0d] = "COST_ACK", [0x0f] = "SIGNATURE", [0x10] = "SUMMARY", [0x11] = "REQUEST", [0x12] = "ITEMS",
    [0x13] = "DONE", [0x18] = "CONGESTION", [0x20] = "OPEN", [0x21] = "ACCEPT", [0x22] = "TERMS", [0x23] = "DUE",
    [0x24] = "TOKEN", [0x25] = "CLAIM", [0x26] = "COSIGN", [0x27] = "REFUSE", [0x28] = "SETTLE", [0x29] = "SETTLED",
    [0x2a] = "STATE", [0x2b] = "CLOSE", [0x2c] = "ORDER", [0x2d] = "WITNESS", [0x2e] = "CERTIFICATE",
    [0x2f] = "EVIDENCE",
}
-- The length of a body whose kind fixes it.
local FIXED = {
    [0x04] = 12, [0x05] = 12, [0x07] = 34, [0x08] = 50, [0x0a] = 2, [0x0b] = 8, [0x18] = 3,
}
local CLASSES = { [0] = "P0 real time", [1] = "P1 interactive", [2] = "P2 standard", [3] = "P3 bulk" }
local SEVERITIES = { [0] = "none", [1] = "moderate", [2] = "severe", [3] = "saturated" }
local SCOPES = { [0] = "this link", [1] = "all outbound" }
local STORES = { [1] = "keys", [2] = "settlements", [3] = "certificates", [4] = "evidence" }
local EXTENSIONS = { [1] = "capabilities", [2] = "VRF key", [3] = "largest packet", [4] = "community" }
local HEADERS = { [0] = "HEADER_1", [1] = "HEADER_2" }
local PROPAGATIONS = { [0] = "broadcast", [1] = "transport" }
local DESTINATIONS = { [0] = "SINGLE", [1] = "GROUP", [2] = "PLAIN", [3] = "LINK" }
local PACKETS = { [0] = "DATA", [1] = "ANNOUNCE", [2] = "LINKREQUEST", [3] = "PROOF" }
local CONTEXTS = {
    [0x00] = "none", [0x01] = "resource part", [0x02] = "resource advertisement", [0x03] = "resource request",
    [0x04] = "resource hash map update", [0x05] = "resource proof", [0x06] = "resource cancelled by its sender",
    [0x07] = "resource refused by its receiver", [0x08] = "cache request", [0x09] = "request", [0x0a] = "response",
    [0x0b] = "path response", [0x0c] = "command", [0x0d] = "command status", [0x0e] = "channel",
    [0x4e] = "NEXUS envelope", [0xfa] = "keepalive", [0xfb] = "link identification", [0xfc] = "link close",
    [0xfd] = "link packet proof", [0xfe] = "link round-trip time", [0xff] = "link request proof",
}

-- Recordings: spec/capture.md
field("uint8", "recording.version", "Version of the recording")
field("uint8", "recording.interface", "Interface")
field("uint8", "recording.direction", "Direction", base.DEC, DIRECTIONS)
field("uint8", "recording.endpoint_length", "Length of the endpoint")
field("bytes", "recording.endpoint", "Endpoint")
field("bytes", "recording.peer", "Peer")
-- Frames: spec/wire.md#frames
field("uint8", "frame.version", "Version", base.DEC, nil, 0x70)
field("uint8", "frame.kind", "Kind", base.DEC, FRAME_KINDS, 0x0f)
field("uint16", "frame.session", "Session", base.HEX)
field("uint16", "frame.key_id", "Broadcast key", base.HEX)
field("uint32", "frame.target", "Target", base.HEX)
field("bytes", "frame.e", "Ephemeral key")
field("bytes", "frame.cookie", "Cookie")
field("bytes", "frame.noise", "Noise")
field("uint32", "frame.counter", "Counter")
field("bytes", "frame.ciphertext", "Ciphertext")
field("bytes", "frame.tag", "Tag")
field("uint32", "frame.beacon_tag", "Beacon tag", base.HEX)
field("bool", "frame.accepts_links", "Accepts links", 8, nil, 0x01)
field("bytes", "frame.rest", "Rest")
-- Messages: spec/wire.md#messages
field("bool", "message.short", "Without length", 8, nil, 0x80)
field("uint8", "message.kind", "Kind", base.HEX, MESSAGE_KINDS, 0x7f)
field("uint16", "message.length", "Length")
field("bytes", "message.body", "Body")
field("uint16", "packet.class", "Class", base.DEC, CLASSES, 0xc000)
field("uint16", "packet.price_code", "Price code", base.DEC, nil, 0x07ff)
field("uint16", "cost.code", "Cost code")
field("uint16", "cost.latency_ms", "Worst latency, ms")
field("uint8", "cost.bandwidth_code", "Bottleneck code")
field("uint8", "cost.hops", "NEXUS hops")
field("bytes", "cost.destination", "Destination")
field("bytes", "cost.random_hash", "Random hash")
field("bool", "cost.withdrawn", "Withdrawn", 8, nil, 0x80)
field("bool", "cost.via_stock", "Via a stock segment", 8, nil, 0x40)
field("uint8", "cost.generation", "Generation", base.DEC, nil, 0x3f)
field("uint32", "cost.print", "Print of what was heard", base.HEX)
field("uint8", "fragment.index", "Index", base.DEC, nil, 0x0f)
field("uint8", "fragment.count", "Count", base.DEC, nil, 0xf0)
field("bytes", "fragment.piece", "Piece")
field("uint32", "ping.token", "Token", base.HEX)
field("uint64", "ping.clock_ms", "Sender's clock, Unix ms")
field("uint16", "rekey.session", "Session", base.HEX)
field("bytes", "rekey.noise", "Noise")
field("uint16", "broadcast_key.key_id", "Key", base.HEX)
field("bytes", "broadcast_key.key", "Secret (blanked in recordings)")
field("uint32", "broadcast_key.next_counter", "Next counter")
field("uint32", "broadcast_key.beacon_tag", "Beacon tag", base.HEX)
field("uint32", "ack.highest", "Highest counter")
field("uint32", "ack.bitmap", "Bitmap", base.HEX)
field("bytes", "signature", "Signature")
field("uint8", "gossip.store", "Store", base.DEC, STORES)
field("uint32", "gossip.round", "Round")
field("bytes", "gossip.state_hash", "State hash")
field("uint32", "gossip.count", "Items in the store")
field("uint32", "gossip.salt", "Salt", base.HEX)
field("uint8", "gossip.slice", "Slice")
field("uint8", "gossip.slices", "Slices", base.DEC, nil, 0x7f)
field("bool", "gossip.sketch", "Sketch", 8, nil, 0x80)
field("bytes", "gossip.filter", "Filter")
field("uint8", "gossip.n", "Items wanted")
field("bytes", "gossip.id", "Item")
field("uint16", "gossip.item_length", "Length of the item")
field("bytes", "gossip.item", "Item")
field("uint8", "congestion.severity", "Severity", base.DEC, SEVERITIES, 0x03)
field("uint8", "congestion.scope", "Scope", base.DEC, SCOPES, 0x0c)
field("uint16", "congestion.drain_ms", "Drained in, ms")
-- Reticulum: spec/reticulum.md#packet
field("uint8", "rns.header_type", "Header type", base.DEC, HEADERS, 0x40)
field("bool", "rns.context_flag", "Context flag", 8, nil, 0x20)
field("uint8", "rns.propagation", "Propagation", base.DEC, PROPAGATIONS, 0x10)
field("uint8", "rns.destination_type", "Destination type", base.DEC, DESTINATIONS, 0x0c)
field("uint8", "rns.packet_type", "Packet type", base.DEC, PACKETS, 0x03)
field("uint8", "rns.hops", "Hops")
field("bytes", "rns.transport_id", "Transport id")
field("bytes", "rns.destination", "Destination")
field("uint8", "rns.context", "Context", base.HEX, CONTEXTS)
field("bytes", "rns.data", "Data")
field("bytes", "rns.public_key", "Public key")
field("bytes", "rns.name_hash", "Name hash")
field("bytes", "rns.random", "Random")
field("uint64", "rns.emitted_at", "Emitted, Unix s")
field("bytes", "rns.ratchet", "Ratchet")
field("bytes", "rns.signature", "Signature")
field("bytes", "rns.app_data", "Application data")
field("bytes", "rns.x25519", "X25519 key")
field("bytes", "rns.ed25519", "Ed25519 key")
field("uint24", "rns.mode", "Mode", base.DEC, nil, 0xe00000)
field("uint24", "rns.mtu", "MTU", base.DEC, nil, 0x1fffff)
field("bytes", "rns.packet_hash", "Packet hash")
field("bytes", "rns.wanted", "Wanted")
field("bytes", "rns.requester", "Requester")
field("bytes", "rns.tag", "Tag")
field("bytes", "rns.interface_hash", "Interface hash")
field("bytes", "envelope.enc", "Encapsulated key")
field("bytes", "envelope.ciphertext", "Ciphertext")
field("bytes", "envelope.tag", "Tag")
field("uint8", "extension.type", "Field", base.DEC, EXTENSIONS)
field("uint8", "extension.length", "Length")
field("uint16", "extension.capabilities", "Capabilities", base.HEX)
field("bytes", "extension.vrf_key", "VRF key")
field("uint16", "extension.largest_packet", "Largest packet")
field("string", "extension.community", "Community")
field("bytes", "extension.value", "Value")
nexus.fields = fields

local MALFORMED =
    ProtoExpert.new("nexus.malformed", "A node refuses this", expert.group.MALFORMED, expert.severity.ERROR)
nexus.experts = { MALFORMED }

local TRUNCATED = "the bytes end inside it"
local TRAILING = "bytes are left over after it"
local LENGTH = "an impossible length"
local VALUE = "a value that is not allowed"
local VERSION = "an unsupported version"

-- A cursor over the bytes from `at` to before `to` that puts what it reads under `tree`.
local Reader = {}
Reader.__index = Reader

local function reader(format, tvb, at, to, tree)
    return setmetatable({ format = format, tvb = tvb, at = at, to = to, tree = tree }, Reader)
end

function Reader:left()
    return self.to - self.at
end

-- What no node accepts ends the format in which it stands: see `attempt`.
function Reader:refuse(what, fault)
    error({ malformed = self.format .. "." .. what .. ": " .. fault }, 0)
end

function Reader:require(holds, what, fault)
    if not holds then
        self:refuse(what, fault)
    end
end

-- The next bytes; none of them are nil.
function Reader:take(what, length)
    self:require(self:left() >= length, what, TRUNCATED)
    local range = nil
    if length > 0 then
        range = self.tvb(self.at, length)
    end
    self.at = self.at + length
    return range
end

-- The next bytes as one field, or as several that share them; all that is left without a length.
function Reader:bytes(what, length, ...)
    local range = self:take(what, length or self:left())
    if range then
        for _, shown in ipairs({ ... }) do
            self.tree:add(shown, range)
        end
    end
    return range
end

-- A number, little-endian (NEXUS).
function Reader:number(what, length, ...)
    local range = self:take(what, length)
    for _, shown in ipairs({ ... }) do
        self.tree:add_le(shown, range)
    end
    if length > 4 then
        return range:le_uint64()
    end
    return range:le_uint()
end

function Reader:finish(what)
    self:require(self:left() == 0, what or "last field", TRAILING)
end

-- Reads a format, and shows where it is malformed. A fault of this script is no malformed input: it is passed on.
local function attempt(tree, read)
    local done, fault = pcall(read)
    if done then
        return true
    end
    if type(fault) == "table" and fault.malformed then
        tree:add_proto_expert_info(MALFORMED, fault.malformed)
        return false
    end
    error(fault, 0)
end

-- Which price codes some price encodes to, below 128: `round(16 log2 n)` for whole n. All up to 1,024 exist above.
local PRICES = {}
for n = 1, 256 do
    PRICES[math.floor(16 * math.log(n) / math.log(2) + 0.5)] = true
end

local function is_price(code)
    if code < 128 then
        return PRICES[code] == true
    end
    return code <= 1024
end

-- Whether these bytes are UTF-8 (RFC 3629): no overlong forms, no surrogates.
local function is_utf8(range)
    local bytes, at = range:bytes(), 0
    while at < bytes:len() do
        local first = bytes:get_index(at)
        local more, least, most = 0, 0x80, 0xbf
        if first >= 0xc2 and first <= 0xdf then
            more = 1
        elseif first >= 0xe0 and first <= 0xef then
            more = 2
            if first == 0xe0 then least = 0xa0 end
            if first == 0xed then most = 0x9f end
        elseif first >= 0xf0 and first <= 0xf4 then
            more = 3
            if first == 0xf0 then least = 0x90 end
            if first == 0xf4 then most = 0x8f end
        elseif first > 0x7f then
            return false
        end
        if at + more >= bytes:len() then
            return false
        end
        for behind = 1, more do
            local byte = bytes:get_index(at + behind)
            if byte < least or byte > most then
                return false
            end
            least, most = 0x80, 0xbf
        end
        at = at + 1 + more
    end
    return true
end

-- The announce extension: spec/wire.md#announce-extension. Application data that is not exactly one is another application's.
local function is_extension(range)
    local length = range:len()
    if length < 2 or range(0, 1):uint() ~= 0x4e or range(1, 1):uint() ~= 0x01 then
        return false
    end
    local at, last = 2, -1
    while at < length do
        if at + 2 > length then
            return false
        end
        local kind, long = range(at, 1):uint(), range(at + 1, 1):uint()
        if kind <= last or at + 2 + long > length then
            return false
        end
        local is_pair = kind == 1 or kind == 3
        if (is_pair and long ~= 2) or (kind == 2 and long ~= 32) then
            return false
        end
        if kind == 4 and (long < 1 or long > 32 or not is_utf8(range(at + 2, long))) then
            return false
        end
        at, last = at + 2 + long, kind
    end
    return true
end

local function extension(range, tree)
    local at = 2
    while at < range:len() do
        local kind, long = range(at, 1):uint(), range(at + 1, 1):uint()
        tree:add(F["extension.type"], range(at, 1))
        tree:add(F["extension.length"], range(at + 1, 1))
        if long > 0 then
            local value = range(at + 2, long)
            if kind == 1 then
                tree:add_le(F["extension.capabilities"], value)
            elseif kind == 2 then
                tree:add(F["extension.vrf_key"], value)
            elseif kind == 3 then
                tree:add_le(F["extension.largest_packet"], value)
            elseif kind == 4 then
                tree:add(F["extension.community"], value, value:string(ENC_UTF_8))
            else
                tree:add(F["extension.value"], value)
            end
        end
        at = at + 2 + long
    end
end

-- The payloads of Reticulum packets: spec/reticulum.md. Each takes a reader over the payload, and the packet's header.
local function announce(r, packet)
    r:require(packet.destination_type == 0, "destination type", VALUE)
    r:require(packet.length <= 500, "app data", LENGTH)
    r:bytes("public key", 64, F["rns.public_key"])
    r:bytes("name hash", 10, F["rns.name_hash"])
    local random_hash = r:take("random hash", 10)
    r.tree:add(F["rns.random"], random_hash(0, 5))
    r.tree:add(F["rns.emitted_at"], random_hash(5, 5), random_hash(5, 5):uint64())
    if packet.context_flag then
        r:bytes("ratchet", 32, F["rns.ratchet"])
    end
    r:bytes("signature", 64, F["rns.signature"])
    local app_data = r:bytes("app data", nil, F["rns.app_data"])
    if app_data and is_extension(app_data) then
        extension(app_data, r.tree)
    end
end

local function signalling(r)
    local left = r:left()
    r:require(left == 0 or left == 3, "signalling", LENGTH)
    if left == 3 then
        r:bytes("signalling", 3, F["rns.mode"], F["rns.mtu"])
    end
end

local function link_request(r, packet)
    r:require(packet.destination_type == 0, "destination type", VALUE)
    r:bytes("X25519 key", 32, F["rns.x25519"])
    r:bytes("Ed25519 key", 32, F["rns.ed25519"])
    signalling(r)
end

local function link_proof(r, packet)
    r:require(packet.destination_type == 3, "destination type", VALUE)
    r:bytes("signature", 64, F["rns.signature"])
    r:bytes("X25519 key", 32, F["rns.x25519"])
    signalling(r)
end

local function proof(r, packet)
    r:require(packet.destination_type == 0 or packet.destination_type == 3, "destination type", VALUE)
    if packet.destination_type == 3 or r:left() ~= 64 then
        local hash = r:bytes("packet hash", 32, F["rns.packet_hash"])
        local is_addressed = packet.destination_type == 3 or hash(0, 16):bytes() == packet.destination:bytes()
        r:require(is_addressed, "packet hash", VALUE)
    end
    r:bytes("signature", 64, F["rns.signature"])
    r:finish("signature")
end

local function path_request(r)
    local length = r:left()
    r:bytes("wanted", 16, F["rns.wanted"])
    if length > 32 then
        r:bytes("requester", 16, F["rns.requester"])
    end
    r:require(r:left() >= 1 and r:left() <= 16, "tag", LENGTH)
    r:bytes("tag", nil, F["rns.tag"])
end

local function tunnel_synthesis(r)
    r:bytes("public key", 64, F["rns.public_key"])
    r:bytes("interface hash", 32, F["rns.interface_hash"])
    r:bytes("random", 16, F["rns.random"])
    r:bytes("signature", 64, F["rns.signature"])
    r:finish("signature")
end

local function envelope(r)
    r:bytes("enc", 32, F["envelope.enc"])
    r:bytes("ciphertext", r:left() - 16, F["envelope.ciphertext"])
    r:bytes("tag", 16, F["envelope.tag"])
end

local PATH_REQUEST = "6b9f66014d9853faab220fba47d02761"
local TUNNEL_SYNTHESIZE = "91bf0910267b59b0e864e0d4c91602ca"

-- Which payload a packet has: its format and who reads it; nil is opaque data.
local function payload_of(packet, length)
    if packet.packet_type == 1 then
        return "announce", announce
    elseif packet.packet_type == 2 then
        return "link request", link_request
    elseif packet.packet_type == 3 and packet.context == 0xff then
        return "link proof", link_proof
    elseif packet.packet_type == 3 and packet.context == 0x00 then
        return "proof", proof
    elseif packet.packet_type == 0 and packet.destination_type == 2 then
        local destination = packet.destination:bytes():tohex(true)
        if destination == PATH_REQUEST then
            return "path request", path_request
        elseif destination == TUNNEL_SYNTHESIZE then
            return "tunnel synthesis", tunnel_synthesis
        end
    elseif packet.packet_type == 0 and packet.destination_type == 0 and packet.context == 0x4e and length >= 48 then
        return "envelope", envelope
    end
    return nil, nil
end

-- How a packet has its transport id: as the header says, or left out although the header has it (on links).
local WRITTEN, LEFT_OUT = 0, 16

-- A packet: spec/reticulum.md#packet. What it is, in a word.
local function packet(tvb, at, to, parent, transport)
    local tree = parent
    if to > at then
        tree = parent:add(nexus, tvb(at, to - at), "Reticulum packet")
    end
    local told = "packet"
    attempt(tree, function()
        local r = reader("packet", tvb, at, to, tree)
        local flags_range = r:take("flags", 1)
        local flags = flags_range:uint()
        r:require(flags < 0x80, "flags", VALUE)
        for _, shown in ipairs({ "header_type", "context_flag", "propagation", "destination_type", "packet_type" }) do
            tree:add(F["rns." .. shown], flags_range)
        end
        local hops = r:bytes("hops", 1, F["rns.hops"]):uint()
        r:require(hops <= 127, "hops", VALUE)
        local left_out = 0
        if flags >= 0x40 then
            left_out = transport
            if left_out == 0 then
                r:bytes("transport id", 16, F["rns.transport_id"])
            end
        end
        local header = {
            packet_type = flags % 4,
            destination_type = math.floor(flags / 4) % 4,
            context_flag = math.floor(flags / 32) % 2 == 1,
            length = to - at + left_out,
            destination = r:bytes("destination", 16, F["rns.destination"]),
            context = r:bytes("context", 1, F["rns.context"]):uint(),
        }
        told = PACKETS[header.packet_type]
        local format, read = payload_of(header, r:left())
        if read then
            told = format
            attempt(tree, function()
                read(reader(format, tvb, r.at, to, tree), header)
            end)
        else
            r:bytes("data", nil, F["rns.data"])
        end
    end)
    return told
end

-- Bodies of messages: spec/wire.md#messages. By kind, the format's name and who reads it.
local function path_cost(r)
    local code = r:number("cumulative_cost", 2, F["cost.code"])
    r:require(is_price(code) or code == 0xffff, "cumulative_cost", VALUE)
    r:number("worst_latency_ms", 2, F["cost.latency_ms"])
    r:number("bottleneck_bps", 1, F["cost.bandwidth_code"])
    r:number("hop_count", 1, F["cost.hops"])
end

local function packet_message(r)
    local bits = r:number("class and price", 2, F["packet.class"], F["packet.price_code"])
    r:require(math.floor(bits / 2048) % 8 == 0, "zero bits", VALUE)
    r:require(is_price(bits % 2048), "price code", VALUE)
    return packet(r.tvb, r.at, r.to, r.tree, LEFT_OUT)
end

local function announce_message(r)
    local magic = r:take("magic", 2)
    r:require(magic(0, 1):uint() == 0x4e, "magic", VALUE)
    r:require(magic(1, 1):uint() == 0x01, "version", VERSION)
    path_cost(r)
    packet(r.tvb, r.at, r.to, r.tree, LEFT_OUT)
end

local function fragment(r)
    local place = r:number("index and count", 1, F["fragment.index"], F["fragment.count"])
    local index, count = place % 16, math.floor(place / 16)
    r:require(index < count and count <= 15, "index and count", VALUE)
    r:require(r:left() > 0, "piece", LENGTH)
    r:bytes("piece", nil, F["fragment.piece"])
    return index + 1 .. " of " .. count
end

local function ping(r)
    r:number("token", 4, F["ping.token"])
    r:number("clock_ms", 8, F["ping.clock_ms"])
end

local function cost_list(r)
    r:require(r:left() > 0 and r:left() % 33 == 0, "records", LENGTH)
    while r:left() > 0 do
        local one = reader("cost-record", r.tvb, r.at, r.at + 33, r.tree)
        one:bytes("destination", 16, F["cost.destination"])
        one:bytes("random_hash", 10, F["cost.random_hash"])
        path_cost(one)
        one:bytes("flags", 1, F["cost.withdrawn"], F["cost.via_stock"], F["cost.generation"])
        r.at = one.at
    end
end

local function rekey(length)
    return function(r)
        local session = r:number("session", 2, F["rekey.session"])
        r:require(session ~= 0, "session", VALUE)
        r:bytes("noise", length, F["rekey.noise"])
    end
end

local function broadcast_key(r)
    r:number("key_id", 2, F["broadcast_key.key_id"])
    r:bytes("key", 32, F["broadcast_key.key"])
    r:number("next_counter", 4, F["broadcast_key.next_counter"])
    r:number("beacon_tag", 4, F["broadcast_key.beacon_tag"])
end

local function broadcast_key_ack(r)
    r:number("key_id", 2, F["broadcast_key.key_id"])
end

local function ack(r)
    local highest = r:number("highest", 4, F["ack.highest"])
    r:number("bitmap", 4, F["ack.bitmap"])
    return "up to " .. highest
end

local function cost_request(r)
    r:bytes("destination", 16, F["cost.destination"])
end

local function cost_acks(r)
    r:require(r:left() > 0 and r:left() % 20 == 0, "lines", LENGTH)
    while r:left() > 0 do
        r:bytes("destination", 16, F["cost.destination"])
        r:number("print", 4, F["cost.print"])
    end
end

local function signature(r)
    r:bytes("signature", 64, F["signature"])
end

local function summary(r)
    r:number("store", 1, F["gossip.store"])
    r:number("round", 4, F["gossip.round"])
    r:bytes("state_hash", 16, F["gossip.state_hash"])
    r:number("count", 4, F["gossip.count"])
    r:number("salt", 4, F["gossip.salt"])
    local slice = r:number("slice", 1, F["gossip.slice"])
    local slices = r:number("slices", 1, F["gossip.slices"], F["gossip.sketch"])
    r:require(slice < slices % 0x80, "slice", VALUE)
    r:bytes("filter", nil, F["gossip.filter"])
end

local function request(r)
    r:number("store", 1, F["gossip.store"])
    local n = r:number("n", 1, F["gossip.n"])
    r:require(r:left() >= 32 * n, "ids", TRUNCATED)
    r:require(n > 0, "n", VALUE)
    for _ = 1, n do
        r:bytes("ids", 32, F["gossip.id"])
    end
end

local function items(r)
    r:number("store", 1, F["gossip.store"])
    r:require(r:left() > 0, "items", LENGTH)
    while r:left() > 0 do
        local length = r:number("len", 2, F["gossip.item_length"])
        r:bytes("item", length, F["gossip.item"])
    end
end

local function done(r)
    r:number("store", 1, F["gossip.store"])
    r:bytes("state_hash", 16, F["gossip.state_hash"])
end

local function congestion(r)
    r:number("severity and scope", 1, F["congestion.severity"], F["congestion.scope"])
    r:number("drain_ms", 2, F["congestion.drain_ms"])
end

local BODIES = {
    [0x01] = { "packet-message", packet_message },
    [0x02] = { "announce-message", announce_message },
    [0x03] = { "fragment", fragment },
    [0x04] = { "ping", ping },
    [0x05] = { "pong", ping },
    [0x06] = { "cost-list", cost_list },
    [0x07] = { "rekey", rekey(32) },
    [0x08] = { "rekey-ack", rekey(48) },
    [0x09] = { "broadcast-key", broadcast_key },
    [0x0a] = { "broadcast-key-ack", broadcast_key_ack },
    [0x0b] = { "ack", ack },
    [0x0c] = { "cost-request", cost_request },
    [0x0d] = { "cost-acks", cost_acks },
    [0x0f] = { "signature", signature },
    [0x10] = { "summary", summary },
    [0x11] = { "request", request },
    [0x12] = { "items", items },
    [0x13] = { "done", done },
    [0x18] = { "congestion", congestion },
}
-- Bodies that hold a packet, which ends them.
local HOLDS_PACKET = { [0x01] = true, [0x02] = true }

-- One message of a plaintext, from where `r` stands. What it is, in a few words.
local function message(r, parent)
    local kind_range = r:take("kind", 1)
    local byte = kind_range:uint()
    local kind, length, body_at = byte % 128, nil, r.at
    if byte < 128 then
        length = r:take("length", 2):le_uint()
        body_at = body_at + 2
    else
        length = FIXED[kind] or r:left()
    end
    r:take("body", length)
    local name = MESSAGE_KINDS[kind] or string.format("kind %02x", kind)
    local start = body_at - 1
    if byte < 128 then
        start = body_at - 3
    end
    local tree = parent:add(nexus, r.tvb(start, r.at - start), name)
    tree:add(F["message.short"], kind_range)
    tree:add(F["message.kind"], kind_range)
    if byte < 128 then
        tree:add_le(F["message.length"], r.tvb(body_at - 2, 2))
    end
    local body = BODIES[kind]
    if not body then
        if length > 0 then
            tree:add(F["message.body"], r.tvb(body_at, length))
        end
        return name
    end
    local told = nil
    attempt(tree, function()
        local inner = reader(body[1], r.tvb, body_at, r.at, tree)
        told = body[2](inner)
        if not HOLDS_PACKET[kind] then
            inner:finish()
        end
    end)
    if told then
        return name .. " " .. told
    end
    return name
end

-- Reads a session, which is never zero.
local function session(r)
    local number = r:number("session", 2, F["frame.session"])
    r:require(number ~= 0, "session", VALUE)
    return string.format("session %04x", number)
end

-- The first 7 bytes of a sealed or broadcast frame.
local function sealed_header(r, kind)
    local under
    if kind == 4 then
        under = session(r)
    else
        under = string.format("key %04x", r:number("key_id", 2, F["frame.key_id"]))
    end
    return under .. " counter " .. r:number("counter", 4, F["frame.counter"])
end

-- What stands in a frame behind its head, by kind. What it says, in a few words.
local FRAMES = {
    [1] = function(r)
        local told = session(r)
        r:number("target", 4, F["frame.target"])
        r:bytes("e", 32, F["frame.e"])
        if r:left() > 0 then
            r:bytes("cookie", 16, F["frame.cookie"])
        end
        return told
    end,
    [2] = function(r)
        local told = session(r)
        r:bytes("noise", 104, F["frame.noise"])
        return told
    end,
    [3] = function(r)
        local told = session(r)
        r:bytes("noise", 70, F["frame.noise"])
        return told
    end,
    [6] = function(r)
        local told = session(r)
        r:bytes("cookie", 16, F["frame.cookie"])
        return told
    end,
    [7] = function(r)
        local tag = r:number("tag", 4, F["frame.beacon_tag"])
        r:bytes("flags", 1, F["frame.accepts_links"])
        return string.format("tag %08x", tag)
    end,
}
for kind = 4, 5 do
    FRAMES[kind] = function(r)
        local told = sealed_header(r, kind)
        r:require(r:left() >= 16, "tag", TRUNCATED)
        local length = r:left() - 16
        r:bytes("ciphertext", length, F["frame.ciphertext"])
        r:bytes("tag", 16, F["frame.tag"])
        return told .. ", " .. length .. " bytes"
    end
end

-- A frame of links: spec/wire.md#frames. What it is, in a few words.
local function frame(tvb, at, to, tree)
    local told = "a frame of nothing"
    attempt(tree, function()
        local r = reader("frame", tvb, at, to, tree)
        local head = r:bytes("head", 1, F["frame.version"], F["frame.kind"]):uint()
        local version, kind = math.floor(head / 16) % 8, head % 16
        local read = FRAMES[kind]
        if version ~= 1 or not read then
            told = "a frame of another version or kind"
            r:bytes("rest", nil, F["frame.rest"])
            return
        end
        told = FRAME_KINDS[kind]
        told = told .. ", " .. read(r)
        r:finish()
    end)
    return told
end

local function version(r)
    r:require(r:bytes("version", 1, F["recording.version"]):uint() == 1, "version", VERSION)
end

-- The interface, and which way it went.
local function place(r)
    local interface = r:bytes("interface", 1, F["recording.interface"]):uint()
    local direction = DIRECTIONS[r:bytes("direction", 1, F["recording.direction"]):uint()]
    r:require(direction, "direction", VALUE)
    return direction .. " on interface " .. interface .. ": "
end

-- A recorded frame: spec/capture.md#recorded-frame.
function nexus.dissector(tvb, pinfo, tree)
    pinfo.cols.protocol = "NEXUS"
    local root = tree:add(nexus, tvb(), "NEXUS frame")
    attempt(root, function()
        local r = reader("recorded-frame", tvb, 0, tvb:len(), root)
        version(r)
        local told = place(r)
        local length = r:bytes("endpoint length", 1, F["recording.endpoint_length"]):uint()
        r:require(length <= 18, "endpoint length", LENGTH)
        r:bytes("endpoint", length, F["recording.endpoint"])
        if r:left() > 0 and tvb(r.at, 1):uint() < 0x80 then
            told = told .. packet(tvb, r.at, r.to, root, WRITTEN) .. ", in clear"
        else
            told = told .. frame(tvb, r.at, r.to, root)
        end
        pinfo.cols.info = told
    end)
end

-- Recorded messages: spec/capture.md#recorded-messages.
local opened = Proto("nexus_opened", "NEXUS messages, opened")

function opened.dissector(tvb, pinfo, tree)
    pinfo.cols.protocol = "NEXUS opened"
    local root = tree:add(nexus, tvb(), "NEXUS messages, opened")
    attempt(root, function()
        local r = reader("recorded-messages", tvb, 0, tvb:len(), root)
        version(r)
        local told = place(r)
        r:bytes("peer", 16, F["recording.peer"])
        local head = r:bytes("head", 1, F["frame.version"], F["frame.kind"]):uint()
        r:require(head >= 0x80, "head", VALUE)
        r:require(math.floor(head / 16) % 8 == 1, "head", VERSION)
        r:require(head % 16 == 4 or head % 16 == 5, "head", VALUE)
        sealed_header(r, head % 16)
        local said = {}
        local inside = reader("messages", tvb, r.at, r.to, root)
        attempt(root, function()
            while inside:left() > 0 do
                table.insert(said, message(inside, root))
            end
        end)
        if #said == 0 then
            table.insert(said, "nothing")
        end
        pinfo.cols.info = told .. table.concat(said, ", ")
    end)
end

local links = DissectorTable.get("wtap_encap")
links:add(wtap.USER0, nexus)
links:add(wtap.USER1, opened)
