"""A stock node with one TCP server interface on loopback, driven by lines of JSON.

argv: a directory of its own, and a free port.
stdout, one JSON object a line:
    {"ready": true}                                 the interface listens
    {"announced": hash, "app_data": hex, "public": hex, "packet_hash": hex | null}
                                                    an announce was received and found valid
    {"own": hash, "packet_hash": hex, "public": hex} this node's own announce was sent
stdin, one word a line:
    announce                                        make and send an announce
    leave                                           end
"""

import json
import os
import sys
import threading

import RNS

CONFIG = """
[reticulum]
  enable_transport = False
  share_instance = False
  panic_on_interface_error = Yes

[interfaces]
  [[under test]]
    type = TCPServerInterface
    enabled = Yes
    listen_ip = 127.0.0.1
    listen_port = {port}
"""

lock = threading.Lock()


def say(**what):
    with lock:
        print(json.dumps(what), flush=True)


class Listener:
    aspect_filter = None

    def received_announce(self, destination_hash, announced_identity, app_data, announce_packet_hash=None):
        say(
            announced=destination_hash.hex(),
            app_data=(app_data or b"").hex(),
            public=announced_identity.get_public_key().hex(),
            packet_hash=announce_packet_hash.hex() if announce_packet_hash else None,
        )


directory, port = sys.argv[1], int(sys.argv[2])
with open(os.path.join(directory, "config"), "w") as file:
    file.write(CONFIG.format(port=port))
RNS.Reticulum(configdir=directory, loglevel=RNS.LOG_CRITICAL, logdest=RNS.LOG_FILE)
RNS.Transport.register_announce_handler(Listener())

identity = RNS.Identity()
destination = RNS.Destination(identity, RNS.Destination.IN, RNS.Destination.SINGLE, "nexus", "stock")
say(ready=True)
for line in sys.stdin:
    if line.strip() == "announce":
        packet = destination.announce(app_data=b"from stock", send=False)
        packet.send()
        say(own=destination.hash.hex(), packet_hash=packet.get_hash().hex(), public=identity.get_public_key().hex())
    elif line.strip() == "leave":
        break
os._exit(0)
