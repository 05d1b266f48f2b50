"""Prints, as one line of JSON, what the stock package makes of a list of private keys and names.

stdin: {"keys": [hex of 64 bytes, ...], "names": [[app, aspect, ...], ...]}
"""

import json
import sys

import RNS

asked = json.load(sys.stdin)
answers = []
for key in asked["keys"]:
    identity = RNS.Identity.from_bytes(bytes.fromhex(key))
    answers.append({
        "public": identity.get_public_key().hex(),
        "hash": identity.hash.hex(),
        "destinations": [RNS.Destination.hash(identity, *name).hex() for name in asked["names"]],
    })
print(json.dumps(answers), flush=True)
