"""A stock LXMF peer, driven by lines of JSON through the package's public interface.

argv: a directory of its own, with the file "config" in it; then what it is like, as JSON: "name", "stamp_cost" (or null), "enforce".
stdout, one JSON object a line:
    {"ready": address, "attached": true | false}
                                        its delivery destination
    {"announced": hash, "app_data": hex, "name": text}
                                        an announce of a delivery destination or a propagation node was heard
    {"message": id, "text": text, "title": text, "from": hash, "verified": bool, "stamped": bool, "method": n}
                                        a message came
    {"queued": id or null, "text": text}
    {"delivered": id, "text": text, "state": n}, {"failed": id, "text": text, "state": n}
    {"packed": hex, "id": hash}         a message as it would be sent
    {"read": id, "verified": bool, "stamped": bool or null, "text": text, "title": text}
                                        a message that it was given
    {"keeps": hash}, {"kept": n}        it is a propagation node at that address; how many messages it keeps
    {"synced": state, "count": n}
stdin, one JSON object a line, "do" being one of
    announce, send (to, text, title, method: opportunistic | direct | propagated | null), ask_path (to),
    keep, kept, node (to), sync, pack (to, text, title, cost), read (packed, public, cost)
"""

import json
import os
import sys
import threading
import time

import LXMF
import RNS

lock = threading.Lock()
METHODS = {
    "opportunistic": LXMF.LXMessage.OPPORTUNISTIC,
    "direct": LXMF.LXMessage.DIRECT,
    "propagated": LXMF.LXMessage.PROPAGATED,
    None: None,
}


def say(**what):
    with lock:
        print(json.dumps(what), flush=True)


class Listener:
    receive_path_responses = True

    def __init__(self, aspect):
        self.aspect_filter = aspect

    def received_announce(self, destination_hash, announced_identity, app_data):
        name = LXMF.display_name_from_app_data(app_data) if self.aspect_filter == "lxmf.delivery" else None
        say(announced=destination_hash.hex(), app_data=(app_data or b"").hex(), name=name)


def came(message):
    say(
        message=message.hash.hex(),
        text=message.content_as_string(),
        title=message.title_as_string(),
        **{"from": message.source_hash.hex()},
        verified=message.signature_validated,
        stamped=message.stamp_valid,
        method=message.method,
    )


def peer(destination_hash):
    known = RNS.Identity.recall(destination_hash)
    return RNS.Destination(known, RNS.Destination.OUT, RNS.Destination.SINGLE, "lxmf", "delivery")


def message_of(told, **more):
    to = peer(bytes.fromhex(told["to"]))
    return LXMF.LXMessage(to, own, told["text"], told.get("title", ""), **more)


def send(told):
    message = message_of(told, desired_method=METHODS[told.get("method")])
    text = told["text"]
    message.register_delivery_callback(lambda done: say(delivered=done.hash.hex(), text=text, state=done.state))
    message.register_failed_callback(lambda done: say(failed=done.hash.hex(), text=text, state=done.state))
    router.handle_outbound(message)
    say(queued=message.hash.hex() if message.hash else None, text=text)


def sync():
    router.request_messages_from_propagation_node(identity)
    while router.propagation_transfer_state not in (router.PR_COMPLETE, router.PR_FAILED, router.PR_NO_PATH,
                                                    router.PR_LINK_FAILED, router.PR_TRANSFER_FAILED):
        time.sleep(0.05)
    say(synced=router.propagation_transfer_state, count=router.propagation_transfer_last_result)


def act(told):
    what = told["do"]
    if what == "announce":
        router.announce(own.hash)
    elif what == "send":
        send(told)
    elif what == "ask_path":
        RNS.Transport.request_path(bytes.fromhex(told["to"]))
    elif what == "keep":
        router.enable_propagation()
        router.announce_propagation_node()
        say(keeps=router.propagation_destination.hash.hex())
    elif what == "kept":
        say(kept=router.compile_stats()["messagestore"]["count"])
    elif what == "node":
        router.set_outbound_propagation_node(bytes.fromhex(told["to"]))
    elif what == "sync":
        sync()
    elif what == "pack":
        message = message_of(told, stamp_cost=told.get("cost"))
        message.defer_stamp = False
        message.pack()
        say(packed=message.packed.hex(), id=message.hash.hex())
    elif what == "read":
        packed, public = bytes.fromhex(told["packed"]), bytes.fromhex(told["public"])
        RNS.Identity.remember(RNS.Identity.full_hash(packed), packed[16:32], public, None)
        message = LXMF.LXMessage.unpack_from_bytes(packed)
        cost = told.get("cost")
        stamped = message.validate_stamp(cost) if cost else None
        say(
            read=message.hash.hex(),
            verified=message.signature_validated,
            stamped=stamped,
            text=message.content_as_string(),
            title=message.title_as_string(),
        )
    else:
        raise ValueError(what)


def lines():
    # Not through sys.stdin, which the package's processes for stamps would find locked.
    left = b""
    while more := os.read(0, 65536):
        *whole, left = (left + more).split(b"\n")
        yield from whole


def main():
    for line in lines():
        act(json.loads(line))
    os._exit(0)


directory, like = sys.argv[1], json.loads(sys.argv[2])
reticulum = RNS.Reticulum(configdir=directory, loglevel=RNS.LOG_WARNING, logdest=RNS.LOG_FILE)
for aspect in ("lxmf.delivery", "lxmf.propagation"):
    RNS.Transport.register_announce_handler(Listener(aspect))
kept = os.path.join(directory, "own")
identity = RNS.Identity.from_file(kept) if os.path.exists(kept) else RNS.Identity()
identity.to_file(kept)
router = LXMF.LXMRouter(identity=identity, storagepath=os.path.join(directory, "lxmf"), enforce_stamps=like["enforce"])
own = router.register_delivery_identity(identity, display_name=like["name"], stamp_cost=like["stamp_cost"])
router.register_delivery_callback(came)
up_since = time.monotonic()
while not reticulum.is_connected_to_shared_instance and time.monotonic() - up_since < 1.5:
    if not all(interface["status"] for interface in reticulum.get_interface_stats()["interfaces"]):
        up_since = time.monotonic()
    time.sleep(0.02)
say(ready=own.hash.hex(), public=identity.get_public_key().hex(), attached=bool(reticulum.is_connected_to_shared_instance))
main()
