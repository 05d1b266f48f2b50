"""A stock node, driven by lines of JSON through the package's public interface.

argv: a directory of its own, with the file "config" in it.
stdout, one JSON object a line:
    {"ready": identity, "plain": hash, "ratcheted": hash, "attached": true | false}
                                        its interfaces are up; the destinations without and with ratchets; whether it is
                                        attached to another process, the shared instance
    {"announced": hash, "app_data": hex, "hops": n, "identity": hash}
                                        an announce was received and found valid
    {"data": hex}                       a packet came, and is proved by the package
    {"sent": hash}, {"proved": hash}, {"unproved": hash}
    {"path": hash, "hops": n, "via": hash}
                                        what the package says of a path; null for none
    {"linked": id, "side": "initiator" | "responder", "mtu": n}, {"closed": id}
    {"link_data": hex}, {"identified": hash}
    {"answered": sha256, "len": n}, {"unanswered": true}
    {"resource": sha256, "len": n, "metadata": value}
                                        one came; what is binary in its metadata is told in hex
    {"up": true}                        its interfaces are up, again perhaps
    {"refusing": true}, {"channel": true}, {"message": hex} it listens to the link's channel; a message came
    {"stream": sha256, "len": n}        a stream of the channel ended
    {"offered": sha256}, {"transferred": true | false, "seconds": n}
stdin, one JSON object a line, "do" being one of
    announce (of: plain | ratcheted, app_data: hex), send (to, data), path (to), ask_path (to)
    link (to), say (data), identify, request (data: hex), close, until_up
    refuse: resources, from now on
    resource (len, text: true for what becomes shorter, metadata: any value)
    channel: messages of kind 0101 and the stream 1 are told; message (data); write (len, text): the stream 2, to its end
"""

import hashlib
import json
import os
import sys
import threading
import time

import RNS

# What destinations of tests are called: without ratchets, with them, and the endpoint's.
NAMES = [("nexus", "stock", aspect) for aspect in ("plain", "ratcheted", "endpoint")]

lock = threading.Lock()


def say(**what):
    with lock:
        print(json.dumps(what, default=bytes.hex), flush=True)


class Listener:
    aspect_filter = None
    receive_path_responses = True

    def received_announce(self, destination_hash, announced_identity, app_data):
        say(
            announced=destination_hash.hex(),
            app_data=(app_data or b"").hex(),
            hops=RNS.Transport.hops_to(destination_hash),
            identity=announced_identity.hash.hex(),
        )


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def text(length):
    """Becomes shorter, by a third or so."""
    return b"".join(b"%x " % n for n in range(length))[:length]


def resource_came(resource):
    if resource.status == RNS.Resource.COMPLETE:
        data = resource.data.read()
        metadata = getattr(resource, "metadata", None)
        say(resource=sha256(data), len=len(data), metadata=metadata)


def equip(link, side):
    def data_came(message, packet):
        say(link_data=message.hex())
        # On the side that was asked the destination sees to it.
        if side == "initiator":
            packet.prove()

    link.set_packet_callback(data_came)
    link.set_link_closed_callback(lambda closed: say(closed=closed.link_id.hex()))
    link.set_resource_strategy(RNS.Link.ACCEPT_ALL)
    link.set_resource_concluded_callback(resource_came)
    link.set_remote_identified_callback(lambda _, identity: say(identified=identity.hash.hex()))
    say(linked=link.link_id.hex(), side=side, mtu=link.mtu)


def accepted(new):
    global link
    link = new
    equip(new, "responder")


def peer(destination_hash):
    known = RNS.Identity.recall(destination_hash)
    for name in NAMES:
        if RNS.Destination.hash(known, *name) == destination_hash:
            return RNS.Destination(known, RNS.Destination.OUT, RNS.Destination.SINGLE, *name)
    raise ValueError("a destination of another name")


def echo(path, data, request_id, link_id, remote_identity, requested_at):
    return data


def noise(path, data, request_id, link_id, remote_identity, requested_at):
    return os.urandom(int.from_bytes(data, "big"))


def make(name):
    made = RNS.Destination(identity, RNS.Destination.IN, RNS.Destination.SINGLE, *name)
    made.set_proof_strategy(RNS.Destination.PROVE_ALL)
    made.set_packet_callback(lambda message, packet: say(data=message.hex()))
    made.set_link_established_callback(accepted)
    made.register_request_handler("/echo", response_generator=echo, allow=RNS.Destination.ALLOW_ALL)
    made.register_request_handler("/noise", response_generator=noise, allow=RNS.Destination.ALLOW_ALL)
    return made


class Message(RNS.MessageBase):
    MSGTYPE = 0x0101

    def __init__(self, data=b""):
        self.data = data

    def pack(self):
        return self.data

    def unpack(self, raw):
        self.data = raw


def message_came(message):
    if not isinstance(message, Message):
        return False
    say(message=message.data.hex())
    return True


def send_message(data):
    channel = link.get_channel()
    while not channel.is_ready_to_send():
        time.sleep(0.005)
    channel.send(Message(data))


def equip_channel():
    channel = link.get_channel()
    channel.register_message_type(Message)
    channel.add_message_handler(message_came)
    come = bytearray()

    def some(ready):
        # Nothing yet is None; nothing any more is empty.
        while data := reader.read(max(ready, 1)):
            come.extend(data)
        if data == b"":
            say(stream=sha256(come), len=len(come))

    reader = RNS.Buffer.create_reader(1, channel, ready_callback=some)


def write_stream(content):
    writer = RNS.Buffer.create_writer(2, link.get_channel())
    writer.write(content)
    writer.close()


def tell_path(destination_hash):
    known = RNS.Transport.has_path(destination_hash)
    via = RNS.Transport.next_hop(destination_hash) if known else None
    say(
        path=destination_hash.hex(),
        hops=RNS.Transport.hops_to(destination_hash) if known else None,
        via=via.hex() if via else None,
    )


def track(receipt):
    once = threading.Lock()

    def proved(receipt):
        # The proof may have come before anybody could be told of it.
        if once.acquire(blocking=False):
            say(proved=receipt.hash.hex())

    # By itself it waits for six times what the link's making took, a few milliseconds here, which a busy machine may need to run
    # somebody else.
    receipt.set_timeout(30)
    say(sent=receipt.hash.hex())
    receipt.set_delivery_callback(proved)
    receipt.set_timeout_callback(lambda receipt: say(unproved=receipt.hash.hex()))
    if receipt.get_status() == RNS.PacketReceipt.DELIVERED:
        proved(receipt)


def answered(receipt):
    data = receipt.response
    say(answered=sha256(data), len=len(data))


def ask(data):
    # Once: a second try would hide an answer that was lost on its way.
    link.request("/echo", data, response_callback=answered, failed_callback=lambda receipt: say(unanswered=True),
                 timeout=20)


def until_up():
    if reticulum.is_connected_to_shared_instance:
        # What it has of interfaces is the instance's.
        return
    up_since = time.monotonic()
    # An interface that is spoken to before it is complete goes down again, and comes back some seconds later.
    while time.monotonic() - up_since < 1.5:
        if not all(interface["status"] for interface in reticulum.get_interface_stats()["interfaces"]):
            up_since = time.monotonic()
        time.sleep(0.02)


def act(told):
    global link
    what = told["do"]
    to = bytes.fromhex(told.get("to", ""))
    data = bytes.fromhex(told.get("data", ""))
    if what == "announce":
        # Of two announces of one second the later is not believed: it is no later emission.
        while int(time.time()) <= announced_at.get(told["of"], 0):
            time.sleep(0.02)
        announced_at[told["of"]] = int(time.time())
        destinations[told["of"]].announce(app_data=bytes.fromhex(told["app_data"]))
    elif what == "send":
        track(RNS.Packet(peer(to), data).send())
    elif what == "path":
        tell_path(to)
    elif what == "ask_path":
        RNS.Transport.request_path(to)
    elif what == "link":
        link = RNS.Link(peer(to), established_callback=lambda made: equip(made, "initiator"),
                        closed_callback=lambda closed: say(closed=closed.link_id.hex()))
    elif what == "say":
        track(RNS.Packet(link, data).send())
    elif what == "identify":
        link.identify(identity)
    elif what == "request":
        ask(data)
    elif what == "resource":
        content = text(told["len"]) if told.get("text") else os.urandom(told["len"])
        say(offered=sha256(content))
        began = time.monotonic()
        RNS.Resource(content, link, metadata=told.get("metadata"), callback=lambda done: say(
            transferred=done.status == RNS.Resource.COMPLETE, seconds=time.monotonic() - began))
    elif what == "refuse":
        # One that accepts none says nothing.
        link.set_resource_strategy(RNS.Link.ACCEPT_APP)
        link.set_resource_callback(lambda advertised: False)
        say(refusing=True)
    elif what == "channel":
        equip_channel()
        say(channel=True)
    elif what == "message":
        send_message(data)
    elif what == "write":
        content = text(told["len"]) if told.get("text") else os.urandom(told["len"])
        say(offered=sha256(content))
        threading.Thread(target=write_stream, args=(content,), daemon=True).start()
    elif what == "until_up":
        until_up()
        say(up=True)
    elif what == "close":
        link.teardown()
    else:
        raise ValueError(what)


directory = sys.argv[1]
reticulum = RNS.Reticulum(configdir=directory, loglevel=RNS.LOG_WARNING, logdest=RNS.LOG_FILE)
RNS.Transport.register_announce_handler(Listener())
own = os.path.join(directory, "own")
identity = RNS.Identity.from_file(own) if os.path.exists(own) else RNS.Identity()
identity.to_file(own)
# When each was announced last, in Unix seconds.
announced_at = {}
destinations = {"plain": make(NAMES[0]), "ratcheted": make(NAMES[1])}
destinations["ratcheted"].enable_ratchets(os.path.join(directory, "ratchets"))
link = None
until_up()
say(
    ready=identity.hash.hex(),
    plain=destinations["plain"].hash.hex(),
    ratcheted=destinations["ratcheted"].hash.hex(),
    attached=bool(reticulum.is_connected_to_shared_instance),
)
for line in sys.stdin:
    act(json.loads(line))
os._exit(0)
