"""A stock node with one RNode interface, driven by words.

argv: a directory of its own, the port at which the RNode is, whether it tells when it is ready (Yes or No), the bandwidth in
      hertz, the spreading factor.
stdout, one JSON object a line:
    {"ready": true}                     the interface is online
    {"announced": hash, "app_data": hex}
                                        an announce was received and found valid
    {"own": hash}                       an announce of this node was sent
    {"interface": {...}}                what the package tells of its interface
stdin, one word a line:
    announce                            make a destination and send its announce
    announce-long                       the same with 300 bytes of application data
    interface                           tell of the interface
    leave                               end
"""

import json
import os
import sys
import threading
import time

import RNS

CONFIG = """
[reticulum]
  enable_transport = False
  share_instance = False
  panic_on_interface_error = No

[interfaces]
  [[radio]]
    type = RNodeInterface
    enabled = Yes
    port = {port}
    frequency = 867200000
    bandwidth = {bandwidth}
    txpower = 7
    spreadingfactor = {spreading_factor}
    codingrate = 5
    flow_control = {flow_control}
    airtime_limit_short = 50
"""

lock = threading.Lock()


def say(**what):
    with lock:
        print(json.dumps(what), flush=True)


class Listener:
    aspect_filter = None

    def received_announce(self, destination_hash, announced_identity, app_data):
        say(announced=destination_hash.hex(), app_data=(app_data or b"").hex())


def interface():
    return reticulum.get_interface_stats()["interfaces"][0]


directory, port, flow_control, bandwidth, spreading_factor = sys.argv[1:6]
with open(os.path.join(directory, "config"), "w") as file:
    words = dict(port=port, flow_control=flow_control, bandwidth=bandwidth, spreading_factor=spreading_factor)
    file.write(CONFIG.format(**words))
reticulum = RNS.Reticulum(configdir=directory, loglevel=RNS.LOG_WARNING, logdest=RNS.LOG_FILE)
RNS.Transport.register_announce_handler(Listener())
while not interface()["status"]:
    time.sleep(0.05)

say(ready=True)
for line in sys.stdin:
    word = line.strip()
    if word in ("announce", "announce-long"):
        # Another each time: two announces of one destination in the same second are one to those who hear them.
        destination = RNS.Destination(RNS.Identity(), RNS.Destination.IN, RNS.Destination.SINGLE, "nexus", "stock")
        destination.announce(app_data=b"over the air" if word == "announce" else bytes(300))
        say(own=destination.hash.hex())
    elif word == "interface":
        told = {key: value for key, value in interface().items() if isinstance(value, (int, float, str, bool))}
        say(interface=told)
    elif word == "leave":
        break
os._exit(0)
